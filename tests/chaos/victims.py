"""Victims: processes that a chaos run kills, freezes and starts again."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from config.runner.processes import Program, Running

STARTS_WITHIN_S = 60


class Victim:
    """`whole_tree`: the process is killed or frozen with all that it started.

    Start it from the main thread: see `Program.popen`.
    """

    def __init__(
        self,
        name: str,
        program: Callable[[], Program],
        log: Path,
        *,
        is_ready: Callable[[], bool] = lambda: True,
        whole_tree: bool = False,
    ) -> None:
        self.name = name
        self._program = program
        self._log = log
        self._is_ready = is_ready
        self._whole_tree = whole_tree
        self._running: Running | None = None

    def start(self) -> None:
        self._running = Running(self._program(), self._log)

    def wait_until_ready(self) -> None:
        assert self._running is not None
        self._running.wait_until(self._is_ready, timeout_s=STARTS_WITHIN_S)

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.popen.pid

    @property
    def is_alive(self) -> bool:
        return self._running is not None and self._running.is_alive()

    def kill(self) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self._running is not None:
            self._running.popen.wait()

    def freeze(self) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in reversed(self._processes()):
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def terminate(self) -> None:
        if self.is_alive:
            os.kill(self.pid, signal.SIGTERM)

    def stop(self, *, timeout_s: float) -> int | None:
        """Ends it, cleanly if possible; returns its exit code."""
        if self._running is None:
            return None
        self._running.stop(timeout_s=timeout_s)
        return self._running.popen.returncode

    def wait(self, *, timeout_s: float) -> int | None:
        """Returns the exit code of a process that is ending; kills it after `timeout_s`."""
        if self._running is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            return self._running.popen.wait(timeout_s)
        self.kill()
        return self._running.popen.returncode

    def last_words(self) -> str:
        return self._running.last_output(20) if self._running is not None else ""

    def _processes(self) -> list[psutil.Process]:
        """Returns the process first: it must not start others while they are killed one by one."""
        if not self.is_alive:
            return []
        process = psutil.Process(self.pid)
        return [process, *(process.children(recursive=True) if self._whole_tree else [])]
