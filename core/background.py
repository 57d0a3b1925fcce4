"""Writes rows in the background, in batches, so that no request waits for them."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError

log = logging.getLogger(__name__)

_MOST_WAITING = 100_000
_RETRY_S = 1.0
_CLOSING_S = 5.0

Item = TypeVar("Item")


class BatchWriter(Generic[Item]):
    """Passes added items to `write`, in order and in batches, and tries again while the database is away.

    It waits `gather_s` seconds for more items before it writes. Of more than 100,000 waiting items the oldest
    are lost: memory must stay bounded through an outage of hours.
    """

    def __init__(
        self, name: str, write: Callable[[Sequence[Item]], Awaitable[None]], *, gather_s: float = 0
    ) -> None:
        self._name = name
        self._write = write
        self._gather_s = gather_s
        self._waiting: deque[Item] = deque(maxlen=_MOST_WAITING)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._added = asyncio.Event()
        self._closing = False

    def add(self, item: Item) -> None:
        """Adds an item. Can be called from any thread, and never waits."""
        self._waiting.append(item)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._added.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes for as long as the context lasts, and at its end what is left, for at most 5 s."""
        self._closing, self._added = False, asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._added.set()  # items may have been added before
        task = asyncio.create_task(self._write_until_closed(), name=self._name)
        try:
            yield
        finally:
            self._loop, self._closing = None, True
            self._added.set()
            await asyncio.wait([task], timeout=_CLOSING_S)
            task.cancel()

    async def _write_until_closed(self) -> None:
        while not (self._closing and not self._waiting):
            await self._added.wait()
            await asyncio.sleep(0 if self._closing else self._gather_s)
            self._added.clear()
            if not await self._write_waiting():
                await asyncio.sleep(_RETRY_S)
                self._added.set()

    async def _write_waiting(self) -> bool:
        """Returns False if the database is away, and the items wait again."""
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            if batch:
                await self._write(batch)
        except (OperationalError, InterfaceError) as error:
            self._waiting.extendleft(reversed(batch))
            log.warning("%s: the database is away (%s); retrying.", self._name, type(error).__name__)
            return False
        except Exception:  # the writer's boundary: it lives on for what comes next
            log.exception("%s: %d rows could not be written.", self._name, len(batch))
        return True
