"""The start of one server: its slot among the worker's starts, its time-out, and what it waits for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import PurePath

from connector.lifecycle.connection import Connection
from connector.lifecycle.diagnosis import Diagnosis, ExitReason
from connector.process.tree import below, scan
from core.message import Message, joined
from tools.launch import LaunchSpec
from tools.models import ConnectionType

SLOTS = 8
GIVE_WAY_S = 5.0
INSTALL_POLL_S = 0.5
Report = Callable[[Diagnosis | None], None]
"""Publishes what a start waits for; None when it waits no longer."""


class StartSlots:
    """Limits the processes that a worker starts at once: a hundred together would starve each other.

    A slow start gives its slot to the next after 5 s. What takes so long is mostly waiting (for a download, a
    database), and eight such servers must not block all others for their whole time-out.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        self._semaphore = asyncio.Semaphore(slots)

    @asynccontextmanager
    async def held(self, report: Report) -> AsyncIterator[None]:
        if self._semaphore.locked():
            message = Message(
                "It waits for its turn: %(count)d other servers are starting at the moment.", count=SLOTS
            )
            report(Diagnosis("start", ExitReason.WAITING, message))
        await self._semaphore.acquire()
        report(None)
        release = _Once(self._semaphore.release)
        timer = asyncio.get_running_loop().call_later(GIVE_WAY_S, release)
        try:
            yield
        finally:
            timer.cancel()
            release()


class _Once:
    """Calls a function the first time that it is called itself."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()


class Start:
    """Used once. `end` makes it time out now, also while it waits for its slot."""

    def __init__(self, spec: LaunchSpec, slots: StartSlots, report: Report) -> None:
        self._spec = spec
        self._slots = slots
        self._publish = report
        self._reported: Diagnosis | None = None
        self._timeout = asyncio.timeout(None)
        self._is_over = False

    def end(self) -> None:
        self._is_over = True
        # A time-out that was not entered yet, or has expired, cannot be rescheduled.
        with suppress(RuntimeError):
            self._timeout.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def limited(self, connection: Connection) -> AsyncIterator[None]:
        """Raises TimeoutError when the start time-out has passed. The wait for a slot does not count."""
        async with self._timeout, self._slot():
            self._extend(0.0 if self._is_over else self._spec.start_timeout_s)
            following = asyncio.create_task(self._follow_installation(connection))
            try:
                yield
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    def _report(self, wait: Diagnosis | None) -> None:
        if wait != self._reported:
            self._reported = wait
            self._publish(wait)

    def _slot(self) -> AbstractAsyncContextManager[None]:
        # Reaching a remote server starts no process.
        is_local = self._spec.connection_type == ConnectionType.STDIO
        return self._slots.held(self._report) if is_local else nullcontext()

    def _extend(self, seconds: float) -> None:
        with suppress(RuntimeError):
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _follow_installation(self, connection: Connection) -> None:
        """The start time-out begins when a package runner has installed the server and has started it."""
        if not self._spec.install_limit_s:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + self._spec.install_limit_s
        while loop.time() < until and not self._is_over:
            await asyncio.sleep(INSTALL_POLL_S)
            was_installing = connection.is_installing
            connection.is_installing = await _is_alone(connection)
            if connection.is_installing:
                self._extend(min(self._spec.start_timeout_s, until - loop.time()))
                self._report(_installing(self._spec, connection))
            elif was_installing:
                self._report(None)


async def _is_alone(connection: Connection) -> bool:
    """Whether the runner's process has no process below it: then the server itself does not run yet."""
    pid = connection.process.pid if connection.process is not None else None
    if pid is None:
        return False
    children, _ = await asyncio.to_thread(scan)
    # Without /proc (macOS) nothing is known of it.
    return bool(children) and not below(pid, children)


def _installing(spec: LaunchSpec, connection: Connection) -> Diagnosis:
    lines = connection.stderr_tail.split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    # Nobody can tell from outside whether it installs, or takes its time to start what is installed already.
    message = Message(
        "%(runner)s has not started the server yet: it may be installing it.",
        runner=PurePath(spec.command).name,
    )
    return Diagnosis("install", ExitReason.INSTALLING, joined(message, last[:200]))
