"""Rows that requests leave behind, written in batches on no request's path."""

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
    """Gives what was added to `write`, in order, and again while the database is away.

    Beyond 100,000 waiting items some are lost. For `gather_s` seconds more may come before it writes.
    """

    def __init__(
        self, name: str, write: Callable[[Sequence[Item]], Awaitable[None]], *, gather_s: float = 0
    ) -> None:
        self._name = name
        self._write = write
        self._gather_s = gather_s
        self._waiting: deque[Item] = deque(maxlen=_MOST_WAITING)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._closing = False

    def add(self, item: Item) -> None:
        """From any thread; it never waits."""
        self._waiting.append(item)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes for as long as the context lasts, and what is left when it ends."""
        self._closing, self._news = False, asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._news.set()  # for what was added before
        task = asyncio.create_task(self._write_as_they_come(), name=self._name)
        try:
            yield
        finally:
            self._loop, self._closing = None, True
            self._news.set()
            await asyncio.wait([task], timeout=_CLOSING_S)
            task.cancel()

    async def _write_as_they_come(self) -> None:
        while not (self._closing and not self._waiting):
            await self._news.wait()
            await asyncio.sleep(0 if self._closing else self._gather_s)
            self._news.clear()
            if not await self._write_waiting():
                await asyncio.sleep(_RETRY_S)
                self._news.set()

    async def _write_waiting(self) -> bool:
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
