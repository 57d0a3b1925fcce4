"""The call limiter of one server: how many calls it is given at once, and how many may wait."""

import asyncio
from types import TracebackType

from connector.errors import CallFailed
from connector.events import Event
from connector.host import clock
from core.message import Message

CALLS_AT_ONCE = 32
CALLS_WAITING = 128


class CallLimiter:
    """An asynchronous context manager around one call. Raises CallFailed instead of admitting it.

    `idle` is set while no call is in flight, running or waiting.
    """

    def __init__(self) -> None:
        self._permits = asyncio.Semaphore(CALLS_AT_ONCE)
        # A dict keeps its order: the first entry is the oldest call.
        self._in_flight: dict[asyncio.Task[object] | None, float] = {}
        self._is_closed = False
        self._idle_since = clock()
        self.idle = Event()
        self.idle.set()

    def has_call_from_before(self, moment: float) -> bool:
        """Whether a call is in flight that was admitted before `moment` (`host.clock`)."""
        return next(iter(self._in_flight.values()), moment) < moment

    @property
    def idle_s(self) -> float:
        """The seconds since the last call ended; 0 while one is in flight."""
        return 0.0 if self._in_flight else clock() - self._idle_since

    def close(self) -> None:
        """Admits no more calls. Those in flight go on."""
        self._is_closed = True

    async def __aenter__(self) -> None:
        if self._is_closed:
            raise CallFailed("server_restarting", Message("The server is being stopped."))
        if len(self._in_flight) >= CALLS_AT_ONCE + CALLS_WAITING:
            raise CallFailed("overloaded", Message("Too many calls are waiting for this server."))
        self._in_flight[asyncio.current_task()] = clock()
        self.idle.clear()
        try:
            await self._permits.acquire()
        # A call that is cancelled while it waits for a permit never reaches __aexit__.
        except BaseException:
            self._remove()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._permits.release()
        self._remove()

    def _remove(self) -> None:
        del self._in_flight[asyncio.current_task()]
        self._idle_since = clock()
        if not self._in_flight:
            self.idle.set()
