"""A buffer between a run and its caller."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from assistants.events import Event

_MOST_BUFFERED = 256
_CLOSING_S = 5


class Relay:
    """Reads a run's events in a task of its own, so that waiting for one can be given up and resumed.

    A generator cannot: a time-out while it waits for its next event would end it.
    """

    def __init__(self, run: AsyncGenerator[Event, None]) -> None:
        self._events: list[Event] = []
        self._has_news = asyncio.Event()
        self._has_room = asyncio.Event()
        self._task = asyncio.create_task(self._read(run))
        self._task.add_done_callback(lambda _: self._has_news.set())

    async def next_events(self, timeout_s: float | None = None) -> list[Event] | None:
        """Returns all events since the last call, at least one; [] after `timeout_s`; None after the end.

        Raises what the run raised, once all of its events were returned.
        """
        if not self._events and not self._task.done() and not await self._wait_for_news(timeout_s):
            return []
        if self._events:
            events, self._events = self._events, []
            self._has_room.set()
            return events
        self._task.result()
        return None

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_CLOSING_S)

    async def _read(self, run: AsyncGenerator[Event, None]) -> None:
        async with aclosing(run):
            async for event in run:
                self._events.append(event)
                self._has_news.set()
                if len(self._events) >= _MOST_BUFFERED:
                    self._has_room.clear()
                    await self._has_room.wait()

    async def _wait_for_news(self, timeout_s: float | None) -> bool:
        self._has_news.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._has_news.wait()
        except TimeoutError:
            return False
        return True
