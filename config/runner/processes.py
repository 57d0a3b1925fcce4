"""Child processes of the runner: they never outlive it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from config.runner.forks import Fork

EXEC_WRAPPER = Path(__file__).with_name("exec_wrapper.py")


class StartFailed(Exception):
    """Something could not be started. The message is one line, for people."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command. `user` is the user to run as, if root starts it; `stop_signal` ends it cleanly.

    One that `is_forked` is `python -m MODULE...`, without a folder, environment or user of its own: a fork of
    this process runs it, with all that is imported here.
    """

    name: str
    argv: Sequence[str]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    is_forked: bool = False

    def start(self, output: IO[bytes]) -> subprocess.Popen[bytes] | Fork:
        if self.is_forked:
            return Fork(self.argv, output.fileno(), self.stop_signal)
        return self.popen(output)

    def popen(self, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Starts the command, which ends with the calling thread: call this from the main thread.

        For prctl(PR_SET_PDEATHSIG) the parent is a thread, not a process. The command gets a session of its
        own, so that a terminal's Ctrl-C reaches the runner alone.
        """
        wrapper = (
            sys.executable,
            "-I",
            "-S",
            str(EXEC_WRAPPER),
            str(os.getpid()),
            str(int(self.stop_signal)),
            self.user,
        )
        return subprocess.Popen(
            [*wrapper, *self.argv],
            cwd=self.cwd,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A server that others find by the variables in `environment`. `program` is called before each start."""

    name: str
    environment: Mapping[str, str] = field(repr=False)
    program: Callable[[], Program]
    is_ready: Callable[[], bool]


class Running:
    """A started program. Its output is appended to `log`."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self._log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self.popen = program.start(output)

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Raises StartFailed, with the last line of output, when the program or the time ends first."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.is_alive():
                raise StartFailed(f"{self.program.name} ended: {self.last_output()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.program.name} was not ready in time: {self.last_output()}")
            time.sleep(0.03)

    def last_output(self, lines: int = 1) -> str:
        """Returns the last lines of its output, or its exit status if it printed nothing."""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            output = file.read().decode(errors="replace").strip().splitlines()
        return "\n".join(output[-lines:]) or f"status {self.popen.returncode}"

    def ask_to_stop(self) -> None:
        if self.is_alive():
            self.popen.send_signal(self.program.stop_signal)

    def stop(self, *, timeout_s: float) -> None:
        """Stops it cleanly, or kills its process group after `timeout_s` seconds."""
        self.ask_to_stop()
        try:
            self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
