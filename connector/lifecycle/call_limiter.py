"""How many calls a server is given at once, how many may wait, and the end of it when it stops."""

import asyncio
from types import TracebackType

from connector.errors import CallFailed
from connector.events import Event
from connector.host import clock

CALLS_AT_ONCE = 32
CALLS_WAITING = 128


class CallGate:
    """An asynchronous context manager around one call. Raises CallFailed instead of letting it in."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(CALLS_AT_ONCE)
        self._inside: dict[asyncio.Task[object] | None, float] = {}
        self._closed = False
        self._left = clock()
        self.empty = Event()
        self.empty.set()

    @property
    def inside(self) -> int:
        """Calls under way or waiting, each in a task of its own."""
        return len(self._inside)

    def inside_since(self, moment: float) -> bool:
        """Whether one of them came in before `moment`."""
        return next(iter(self._inside.values()), moment) < moment

    @property
    def unused_s(self) -> float:
        """For how long nobody was inside, in seconds."""
        return 0.0 if self._inside else clock() - self._left

    def close(self) -> None:
        """Let nobody in any more."""
        self._closed = True

    async def __aenter__(self) -> None:
        if self._closed:
            raise CallFailed("server_restarting", "The server is being stopped.")
        if self.inside >= CALLS_AT_ONCE + CALLS_WAITING:
            raise CallFailed("overloaded", "Too many calls are waiting for this server.")
        self._inside[asyncio.current_task()] = clock()
        self.empty.clear()
        try:
            await self._free.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()
        self._leave()

    def _leave(self) -> None:
        del self._inside[asyncio.current_task()]
        self._left = clock()
        if not self._inside:
            self.empty.set()
