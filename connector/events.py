"""Waiting for whichever comes first."""

import asyncio
from contextlib import suppress


class Event(asyncio.Event):
    """One that can be waited for with others, and without a task for each."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        super().set()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def tell(self, waiting: asyncio.Future[None]) -> None:
        """Have it end as soon as this is set."""
        self._waiting.add(waiting)
        if self.is_set() and not waiting.done():
            waiting.set_result(None)

    def leave(self, waiting: asyncio.Future[None]) -> None:
        self._waiting.discard(waiting)


async def first_of(*events: Event, within: float) -> None:
    """Return when one of the events is set, or after `within` seconds."""
    waiting = asyncio.get_running_loop().create_future()
    for event in events:
        event.tell(waiting)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await waiting
    finally:
        for event in events:
            event.leave(waiting)
