"""The shim by itself, run as it runs in production."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connector.host import clock, start_time
from connector.process import orphans, shim
from tests.connector.processes import ROOT, server_processes

# Of an owner that lives: a supervisor of another test run on this machine may look for orphans meanwhile.
MARKER = f"{orphans.new_owner_name()}/1.0"
UNCONFINED = "0:"
LONG_GRACE_S = 60
"""What is killed long before has not been given the grace."""
WITH_LONG_GRACE = (
    f"import sys; sys.path.append({str(ROOT)!r}); from connector.process import shim; "
    f"shim.TERM_GRACE_S = {LONG_GRACE_S}; shim.main(sys.argv[1:])"
)
STUBBORN_TREE = """
import signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
below = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(60)"])
print(below.pid, flush=True)
time.sleep(60)
"""


class RunningShim:
    def __init__(
        self,
        *command: str,
        confinement: str = UNCONFINED,
        lease_s: float = 60,
        program: Sequence[str] = (shim.__file__,),
    ) -> None:
        self.control, theirs = socket.socketpair()
        self.control.settimeout(20)
        self._reports = self.control.makefile()
        arguments = [str(theirs.fileno()), str(os.getpid()), str(lease_s), MARKER, confinement, *command]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", *program, *arguments],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def report(self) -> str:
        return self._reports.readline().strip()

    def tree(self) -> list[int]:
        """Returns the process ids of the server and of the process below it."""
        assert self.process.stdout is not None
        below = int(self.process.stdout.readline())
        return [int(self.report().removeprefix("pid ")), below]

    def renew(self, lease_s: float) -> None:
        self.control.send(f"{clock() + lease_s}\n".encode())

    def close_control(self) -> None:
        self._reports.close()
        self.control.close()

    def close(self) -> None:
        self.close_control()
        self.process.communicate(timeout=20)


Start = Callable[..., RunningShim]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[RunningShim] = []

    def start(*command: str, **options: Any) -> RunningShim:
        started.append(RunningShim(*command, **options))
        return started[-1]

    yield start
    for running in started:
        running.close()


def all_gone(pids: list[int], *, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while any(start_time(pid) is not None for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_the_shim_reports_the_pid_and_passes_on_the_exit_code(start: Start) -> None:
    running = start(sys.executable, "-c", "raise SystemExit(42)")
    assert running.report().startswith("pid ")
    assert running.report() == "exit 42"
    assert running.process.wait(20) == 42


def test_the_shim_reports_the_signal_that_killed_the_server(start: Start) -> None:
    running = start("sleep", "60")
    os.kill(int(running.report().removeprefix("pid ")), signal.SIGKILL)
    assert running.report() == "signal 9"
    assert running.process.wait(20) == 137


def test_the_shim_reports_why_a_command_cannot_run(start: Start) -> None:
    assert start("no-such-command").report() == "exec 2"


def test_a_stubborn_tree_ends_when_the_owner_closes_the_control_socket(start: Start) -> None:
    running = start(sys.executable, "-c", STUBBORN_TREE)
    pids = running.tree()
    running.close_control()
    assert all_gone(pids, within_s=20)


def test_a_stubborn_tree_ends_when_its_shim_gets_sigterm(start: Start) -> None:
    running = start(sys.executable, "-c", STUBBORN_TREE)
    pids = running.tree()
    running.process.terminate()
    assert all_gone(pids, within_s=20)


def test_a_tree_is_killed_at_once_when_the_lease_is_not_renewed(start: Start) -> None:
    running = start(sys.executable, "-c", STUBBORN_TREE, lease_s=2, program=("-c", WITH_LONG_GRACE))
    until = clock() + 4
    running.renew(4)  # the shim reads it when the first lease has passed
    assert all_gone(running.tree(), within_s=LONG_GRACE_S / 2)
    assert clock() >= until


@pytest.mark.parametrize("is_stopping", [False, True], ids=["while it runs", "while it ends"])
def test_a_tree_is_killed_at_once_on_request(start: Start, is_stopping: bool) -> None:
    running = start(sys.executable, "-c", STUBBORN_TREE, program=("-c", WITH_LONG_GRACE))
    pids = running.tree()
    if is_stopping:
        running.process.terminate()
        time.sleep(0.1)
    running.process.send_signal(shim.KILL)
    assert all_gone(pids, within_s=LONG_GRACE_S / 2)


@pytest.mark.parametrize("delay_s", [0, 0.02, 0.05])
def test_a_shim_that_is_killed_while_it_starts_leaves_no_server(start: Start, delay_s: float) -> None:
    running = start("sleep", "60")
    time.sleep(delay_s)
    running.process.send_signal(shim.KILL)
    running.process.wait(20)
    assert not server_processes()


def test_a_server_outlives_the_thread_that_started_it(start: Start) -> None:
    with ThreadPoolExecutor(1) as other_thread:
        running = other_thread.submit(start, sys.executable, "-c", STUBBORN_TREE).result()
    pids = running.tree()
    assert not all_gone(pids[:1], within_s=0.5)
    assert running.process.poll() is None


def test_the_server_dies_with_its_shim(start: Start) -> None:
    running = start("sleep", "60")
    pid = int(running.report().removeprefix("pid "))
    running.process.kill()
    assert all_gone([pid], within_s=20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may switch users")
def test_a_server_of_another_user_dies_with_its_shim(start: Start) -> None:
    """The kernel forgets the parent-death signal when the user changes: it must be set after that."""
    running = start("sleep", "60", confinement="0:nobody")
    pid = int(running.report().removeprefix("pid "))
    running.process.kill()
    assert all_gone([pid], within_s=20)


RESERVED = 0b11 << 31  # signals 32 and 33 are the C library's: nobody can change what they do


def test_the_server_starts_without_ignored_or_blocked_signals(start: Start) -> None:
    running = start("sleep", "60")
    pid = int(running.report().removeprefix("pid "))
    lines = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line]
    status = dict(line.split(":\t") for line in lines)
    assert int(status["SigBlk"], 16) == int(status["SigIgn"], 16) & ~RESERVED == 0
