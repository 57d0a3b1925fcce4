"""Events that can be awaited together: whichever is set first."""

import asyncio
from contextlib import suppress


class Event(asyncio.Event):
    """An event that can be awaited with others, and without a task for each of them.

    `asyncio.wait` needs a task for each event: with 200 servers, creating and cancelling them was most of
    what an idle worker did.
    """

    def __init__(self) -> None:
        super().__init__()
        self._listeners: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        super().set()
        for listener in self._listeners:
            if not listener.done():
                listener.set_result(None)

    def add_listener(self, listener: asyncio.Future[None]) -> None:
        """Completes the future as soon as this is set, which may be now."""
        self._listeners.add(listener)
        if self.is_set() and not listener.done():
            listener.set_result(None)

    def remove_listener(self, listener: asyncio.Future[None]) -> None:
        self._listeners.discard(listener)


async def first_of(*events: Event, within: float) -> None:
    """Returns when one of the events is set, or after `within` seconds."""
    listener = asyncio.get_running_loop().create_future()
    for event in events:
        event.add_listener(listener)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await listener
    finally:
        for event in events:
            event.remove_listener(listener)
