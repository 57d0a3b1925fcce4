"""Supervision of the runner's children: one that ends is started again, a few times, after a backoff."""

import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from config.runner.logs import Log, Repeats
from config.runner.processes import Program, Running, Service, StartFailed

BACKOFF_S = (0, 0.5, 1, 2, 4, 8)  # before each further start; a child that ends once more is given up
STEADY_S = 60  # a child that lived this long is started again at once, and its backoff begins anew
POLL_S = 0.2
SHOWN = 5  # warnings of one child in one poll
READY_S = 60  # for a service: PostgreSQL may have to recover from a crash
STOP_PROCESSES_S = 7.5  # seconds until they are killed
STOP_ALL_S = 9.5


class Child:
    """A program that should run. `make` is called before each start; `report` gets a line for people."""

    def __init__(self, make: Callable[[], Program], logs: Path, report: Callable[[str], None]) -> None:
        self._make = make
        self._report = report
        program = make()
        self.name = program.name
        self._path = logs / f"{self.name}.log"
        self._log = Log(self._path)
        self._repeats = Repeats()
        self._failures = 0
        self._start_at = 0.0
        self._start(program)

    def _start(self, program: Program) -> None:
        self._started_at = time.monotonic()
        self.running = Running(program, self._path)

    def tend(self) -> None:
        """Reports new warnings, and restarts a child that ended. Raises StartFailed if it does so often."""
        self._show_warnings()
        if self.running.is_alive():
            return
        now = time.monotonic()
        if self._start_at < self._started_at:
            self._schedule(now)
        if now >= self._start_at:
            self._start(self._make())

    def _schedule(self, now: float) -> None:
        self._failures = 0 if now - self._started_at > STEADY_S else self._failures + 1
        status = self.running.popen.returncode
        if self._failures > len(BACKOFF_S):
            output = self.running.last_output(lines=8)
            raise StartFailed(f"{self.name} keeps ending, see {self._path}. Its last words:\n{output}")
        self._start_at = now + (BACKOFF_S[self._failures - 1] if self._failures else 0)
        self._report(f"{self.name} ended with status {status} and is started again")

    def _show_warnings(self) -> None:
        warnings = self._repeats.without(self._log.new_warnings())
        for line in warnings[:SHOWN]:
            self._report(f"{self.name}: {line[:300]}")
        if len(warnings) > SHOWN:
            self._report(f"{self.name}: {len(warnings) - SHOWN} more in {self._path}")


class Supervisor:
    """Runs services, and the processes that need them. Leaving the context stops them all."""

    def __init__(self, logs: Path, report: Callable[[str], None]) -> None:
        self._logs = logs
        self._report = report
        self._services: list[Child] = []
        self._processes: list[Child] = []
        self._begun: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        """Stops the processes together, then the services in the reverse of their order."""
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(
                ignored, signal.SIG_IGN
            )  # stopping is bounded, and a second Ctrl-C would only leave orphans
        began = time.monotonic()
        for running in self._begun:
            running.stop(timeout_s=1)
        for child in self._processes:
            child.running.ask_to_stop()
        _stop(self._processes, deadline=began + STOP_PROCESSES_S)
        _stop(self._services[::-1], deadline=began + STOP_ALL_S)

    @contextmanager
    def starting(self, services: Iterable[Service]) -> Iterator[None]:
        """Starts `services`, and waits at the end until each is ready. Raises StartFailed."""
        started = []
        for service in services:
            child = Child(service.program, self._logs, self._report)
            self._services.append(child)
            started.append((child, service))
        yield
        for child, service in started:
            child.running.wait_until(service.is_ready, timeout_s=READY_S)

    def start(self, program: Program) -> None:
        self._processes.append(Child(lambda: program, self._logs, self._report))

    def begin(self, program: Program) -> Running:
        """Starts a program that ends by itself."""
        self._begun.append(Running(program, self._logs / f"{program.name}.log"))
        return self._begun[-1]

    def finish(self, running: Running) -> Running:
        """Keeps everything running until what was begun has ended, and returns it."""
        self.tend(until=lambda: not running.is_alive(), poll_s=0.03)
        return running

    def tend(
        self,
        until: Callable[[], bool] = lambda: False,
        *,
        timeout_s: float = math.inf,
        poll_s: float | None = None,
    ) -> bool:
        """Keeps everything running until `until` returns True or the time is over. Returns whether it did."""
        deadline = time.monotonic() + timeout_s
        while not (done := until()) and time.monotonic() < deadline:
            children = (*self._services, *self._processes)
            for child in children:
                child.tend()
            _wait(children, poll_s or POLL_S)
        return done


def _wait(children: Iterable[Child], seconds: float) -> None:
    """Waits for so long, or until a child has ended, which only Linux tells at once."""
    with ExitStack() as opened:
        descriptors = []
        for child in children:
            with suppress(AttributeError, OSError):
                descriptors.append(os.pidfd_open(child.running.popen.pid))
                opened.callback(os.close, descriptors[-1])
        select.select(descriptors, [], [], seconds)


def _stop(children: list[Child], *, deadline: float) -> None:
    for child in children:
        child.running.stop(timeout_s=max(deadline - time.monotonic(), 0))
