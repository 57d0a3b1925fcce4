"""The guard by itself, run as it runs in production."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connector.host import clock, start_time
from connector.process import orphans, shim
from tests.connector.processes import of_ours

MARK = f"{orphans.new_owner()}/1.0"  # of an owner that lives: others on this machine sweep too
UNCONFINED = "0:"
TREE = """
import signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
below = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(60)"])
print(below.pid, flush=True)
time.sleep(60)
"""


class Guarded:
    def __init__(self, *command: str, confinement: str = UNCONFINED, lease_s: float = 30) -> None:
        self.control, theirs = socket.socketpair()
        self.control.settimeout(5)
        self._said = self.control.makefile()
        arguments = [str(theirs.fileno()), str(os.getpid()), str(lease_s), MARK, confinement, *command]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", shim.__file__, *arguments],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def hear(self) -> str:
        return self._said.readline().strip()

    def tree(self) -> list[int]:
        assert self.process.stdout is not None
        below = int(self.process.stdout.readline())
        return [int(self.hear().removeprefix("pid ")), below]

    def tell(self, lease_s: float) -> None:
        self.control.send(f"{clock() + lease_s}\n".encode())

    def let_go(self) -> None:
        self._said.close()
        self.control.close()

    def close(self) -> None:
        self.let_go()
        self.process.communicate(timeout=5)


@pytest.fixture
def guarded() -> Iterator[Callable[..., Guarded]]:
    started: list[Guarded] = []

    def start(*command: str, **options: Any) -> Guarded:
        started.append(Guarded(*command, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def all_gone(pids: list[int], *, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while any(start_time(pid) is not None for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_it_reports_the_pid_and_passes_the_exit_code_on(guarded: Callable[..., Guarded]) -> None:
    one = guarded(sys.executable, "-c", "raise SystemExit(42)")
    assert one.hear().startswith("pid ")
    assert one.hear() == "exit 42"
    assert one.process.wait(5) == 42


def test_it_reports_the_signal_that_killed_the_server(guarded: Callable[..., Guarded]) -> None:
    one = guarded("sleep", "60")
    os.kill(int(one.hear().removeprefix("pid ")), signal.SIGKILL)
    assert one.hear() == "signal 9"
    assert one.process.wait(5) == 137


def test_it_reports_why_a_command_cannot_run(guarded: Callable[..., Guarded]) -> None:
    assert guarded("no-such-command").hear() == "exec 2"


def test_a_stubborn_tree_ends_when_the_owner_lets_go(guarded: Callable[..., Guarded]) -> None:
    one = guarded(sys.executable, "-c", TREE)
    pids = one.tree()
    one.let_go()
    assert all_gone(pids, within_s=2)


def test_a_tree_ends_when_its_guard_is_asked_to(guarded: Callable[..., Guarded]) -> None:
    one = guarded(sys.executable, "-c", TREE)
    pids = one.tree()
    one.process.terminate()
    assert all_gone(pids, within_s=2)


def test_a_tree_ends_at_once_when_the_lease_was_not_renewed(guarded: Callable[..., Guarded]) -> None:
    one = guarded(sys.executable, "-c", TREE, lease_s=2)
    one.tell(4)  # read when the first has passed
    pids = one.tree()
    assert not all_gone(pids, within_s=2.2)
    assert all_gone(pids, within_s=2.5)


@pytest.mark.parametrize("is_stopping", [False, True])
def test_a_tree_is_killed_at_once_on_request(guarded: Callable[..., Guarded], is_stopping: bool) -> None:
    one = guarded(sys.executable, "-c", TREE)
    pids = one.tree()
    if is_stopping:
        one.process.terminate()
        time.sleep(0.1)
    one.process.send_signal(shim.KILL)
    assert all_gone(pids, within_s=0.5)


def test_a_shim_that_is_killed_at_its_start_leaves_no_server(guarded: Callable[..., Guarded]) -> None:
    for delay_s in (0, 0.02, 0.05):
        one = guarded("sleep", "60")
        time.sleep(delay_s)
        one.process.send_signal(shim.KILL)
        one.process.wait(5)
        assert not of_ours()


def test_a_server_outlives_the_thread_that_started_it(guarded: Callable[..., Guarded]) -> None:
    with ThreadPoolExecutor(1) as other_thread:
        one = other_thread.submit(guarded, sys.executable, "-c", TREE).result()
    pids = one.tree()
    assert not all_gone(pids[:1], within_s=0.5)
    assert one.process.poll() is None


def test_the_server_itself_dies_with_its_guard(guarded: Callable[..., Guarded]) -> None:
    one = guarded("sleep", "60")
    pid = int(one.hear().removeprefix("pid "))
    one.process.kill()
    assert all_gone([pid], within_s=0.5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may switch users")
def test_so_does_another_users_server(guarded: Callable[..., Guarded]) -> None:
    """The kernel forgets the tie between the two when the user changes: it is made afterwards."""
    one = guarded("sleep", "60", confinement="0:nobody")
    pid = int(one.hear().removeprefix("pid "))
    one.process.kill()
    assert all_gone([pid], within_s=0.5)


RESERVED = 0b11 << 31  # signals 32 and 33 are the C library's: nobody can change what they do


def test_the_server_starts_with_ordinary_signals(guarded: Callable[..., Guarded]) -> None:
    one = guarded("sleep", "60")
    pid = int(one.hear().removeprefix("pid "))
    status = dict(line.split(":\t") for line in status_of(pid))
    assert int(status["SigBlk"], 16) == int(status["SigIgn"], 16) & ~RESERVED == 0


def status_of(pid: int) -> list[str]:
    return [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line]
