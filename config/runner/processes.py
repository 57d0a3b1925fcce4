"""Programs that the runner starts, and that never outlive it."""

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

EXEC_WRAPPER = Path(__file__).with_name("exec_wrapper.py")


class StartFailed(Exception):
    """Why something could not be started: one line for people."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command. `user` is the name to run as, when root starts it; `stop_signal` ends it cleanly."""

    name: str
    argv: Sequence[str]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM

    def popen(self, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start it, to die with the calling thread: start programs from the main thread.

        It gets a session of its own, so that a terminal's Ctrl-C reaches the runner alone.
        """
        guard = (
            sys.executable,
            "-I",
            "-S",
            str(EXEC_WRAPPER),
            str(os.getpid()),
            str(int(self.stop_signal)),
            self.user,
        )
        return subprocess.Popen(
            [*guard, *self.argv],
            cwd=self.cwd,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A server that others need and find by `environment`. `program` prepares each start of it anew."""

    name: str
    environment: Mapping[str, str] = field(repr=False)
    program: Callable[[], Program]
    is_ready: Callable[[], bool]


class Running:
    """A started program. What it prints is appended to `log`."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self._log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self.popen = program.popen(output)

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Raises StartFailed when the program ends first, or `timeout_s` does."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.is_alive():
                raise StartFailed(f"{self.program.name} ended: {self.last_words()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.program.name} was not ready in time: {self.last_words()}")
            time.sleep(0.03)

    def last_words(self, lines: int = 1) -> str:
        """The last lines of its output, or its status when it said nothing."""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            said = file.read().decode(errors="replace").strip().splitlines()
        return "\n".join(said[-lines:]) or f"status {self.popen.returncode}"

    def ask_to_stop(self) -> None:
        if self.is_alive():
            self.popen.send_signal(self.program.stop_signal)

    def stop(self, *, timeout_s: float) -> None:
        """Cleanly, or with its whole session when that takes longer than `timeout_s`."""
        self.ask_to_stop()
        try:
            self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
