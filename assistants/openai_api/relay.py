"""A run that goes on in a task of its own while its caller reads the events at its own pace."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from assistants.events import Event

_AHEAD = 256  # events that the run may be ahead of the caller
_CLOSING_S = 5


class Relay:
    """Follows a run in one task of its own, so that waiting for its events can be given up and resumed."""

    def __init__(self, run: AsyncGenerator[Event, None]) -> None:
        self._events: list[Event] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._task = asyncio.create_task(self._follow(run))
        self._task.add_done_callback(lambda _: self._news.set())

    async def take(self, patience_s: float | None = None) -> list[Event] | None:
        """All events since the last time, at least one; [] if none came in time; None after the end.

        Raises what the run raised, once its events are taken.
        """
        if not self._events and not self._task.done() and not await self._told(patience_s):
            return []
        if self._events:
            events, self._events = self._events, []
            self._room.set()
            return events
        self._task.result()
        return None

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_CLOSING_S)

    async def _follow(self, run: AsyncGenerator[Event, None]) -> None:
        async with aclosing(run):
            async for event in run:
                self._events.append(event)
                self._news.set()
                if len(self._events) >= _AHEAD:
                    self._room.clear()
                    await self._room.wait()

    async def _told(self, patience_s: float | None) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(patience_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True
