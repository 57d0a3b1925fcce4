"""Keeps children running: one that dies is started again, soon, then later, then not any more."""

import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from config.runner.logs import Log
from config.runner.processes import Program, Running, Service, StartFailed

BACKOFF_S = (0.5, 1, 2, 4, 8)  # before each further start; after the last of them the child is given up
STEADY_S = 60  # a child that lived this long starts over with the backoff
POLL_S = 0.2
SHOWN = 5  # lines of trouble of one child in one poll
READY_S = 60  # for a service; PostgreSQL may have a crash to recover from
STOP_PROCESSES_S = 7.5  # then they are killed
STOP_ALL_S = 9.5


class Child:
    """A program that should run. `make` prepares each start of it anew."""

    def __init__(self, make: Callable[[], Program], logs: Path, say: Callable[[str], None]) -> None:
        self._make = make
        self._say = say
        program = make()
        self.name = program.name
        self._path = logs / f"{self.name}.log"
        self._log = Log(self._path)
        self._failures = 0
        self._start_at = 0.0
        self._start(program)

    def _start(self, program: Program) -> None:
        self._started_at = time.monotonic()
        self.running = Running(program, self._path)

    def tend(self) -> None:
        """Show its troubles and start it again if it died. Raises StartFailed when it died too often."""
        self._show_troubles()
        if self.running.is_alive():
            return
        now = time.monotonic()
        if self._start_at < self._started_at:
            self._schedule(now)
        elif now >= self._start_at:
            self._start(self._make())

    def _schedule(self, now: float) -> None:
        self._failures = 0 if now - self._started_at > STEADY_S else self._failures + 1
        status = self.running.popen.returncode
        if self._failures > len(BACKOFF_S):
            last_words = self.running.last_words(lines=8)
            raise StartFailed(f"{self.name} keeps ending, see {self._path}. Its last words:\n{last_words}")
        self._start_at = now + BACKOFF_S[max(self._failures - 1, 0)]
        self._say(f"{self.name} ended with status {status} and is started again")

    def _show_troubles(self) -> None:
        troubles = self._log.troubles()
        for line in troubles[:SHOWN]:
            self._say(f"{self.name}: {line[:300]}")
        if len(troubles) > SHOWN:
            self._say(f"{self.name}: {len(troubles) - SHOWN} more in {self._path}")


class Supervisor:
    """Services (what others need) and processes (what needs them). Leaving the context stops them all."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._services: list[Child] = []
        self._processes: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        """Processes first and together, then the services in the reverse of their order."""
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)  # stopping is bounded: impatience would only leave orphans
        began = time.monotonic()
        for child in self._processes:
            child.running.ask_to_stop()
        _stop(self._processes, deadline=began + STOP_PROCESSES_S)
        _stop(self._services[::-1], deadline=began + STOP_ALL_S)

    def start_service(self, service: Service) -> None:
        """Start it and wait until it is ready. Raises StartFailed."""
        child = Child(service.program, self._logs, self._say)
        self._services.append(child)
        child.running.wait_until(service.is_ready, timeout_s=READY_S)

    def start(self, program: Program) -> None:
        self._processes.append(Child(lambda: program, self._logs, self._say))

    def tend(self, until: Callable[[], bool] = lambda: False, *, timeout_s: float = math.inf) -> bool:
        """Keep everything running until `until` holds or the time is over; return whether it held."""
        deadline = time.monotonic() + timeout_s
        while not (done := until()) and time.monotonic() < deadline:
            for child in (*self._services, *self._processes):
                child.tend()
            time.sleep(POLL_S)
        return done


def _stop(children: list[Child], *, deadline: float) -> None:
    for child in children:
        child.running.stop(timeout_s=max(deadline - time.monotonic(), 0))
