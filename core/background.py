"""Work in the background: tasks that live as long as the process, and writes in batches."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError

log = logging.getLogger(__name__)

_MOST_WAITING = 100_000
_RETRY_S = 1.0
_MOST_BACKOFF_S = 10.0
_STEADY_S = 60.0
_CLOSING_S = 5.0
_CANCEL_AGAIN_S = 2.0

Item = TypeVar("Item")


@asynccontextmanager
async def supervised(name: str, work: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs `work` in a task for as long as the context lasts, and yields the task.

    If `work` fails, that is logged with its traceback, and it is started again: after 1 s, then after twice
    as long, up to 10 s, and after 1 s again once it has lived for a minute. If it returns, it is done.
    """
    task = asyncio.create_task(_supervise(name, work), name=name)
    try:
        yield task
    finally:
        await _cancel(task)


async def _cancel(task: asyncio.Task[None]) -> None:
    """Cancels a task until it has ended.

    Once may not be enough: `asyncio.wait_for`, by which psycopg waits, loses a cancellation that comes in the
    same turn of the loop as what it waits for (Python 3.11, https://github.com/python/cpython/issues/86296).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)


async def _supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    backoff_s = _RETRY_S
    while True:
        began = time.monotonic()
        try:
            await work()
            return
        except asyncio.CancelledError:
            if is_cancelling():
                raise
            log.exception("%s was cancelled; it is started again.", name)  # by something it waited for
        except Exception:  # the top of a task: else its end would pass unnoticed
            log.exception("%s failed; it is started again.", name)
        if time.monotonic() - began > _STEADY_S:
            backoff_s = _RETRY_S
        await asyncio.sleep(backoff_s)
        backoff_s = min(2 * backoff_s, _MOST_BACKOFF_S)


def is_cancelling() -> bool:
    """Tells whether somebody has cancelled the present task; else a CancelledError comes from elsewhere."""
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


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
        # While the event is set the writer will still take this item. To wake it costs a system call.
        if self._loop is not None and not self._added.is_set():
            self._loop.call_soon_threadsafe(self._added.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes for as long as the context lasts, and at its end what is left, for at most 5 s."""
        self._closing, self._added = False, asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._added.set()  # items may have been added before
        async with supervised(f"The writer of {self._name}", self._write_until_closed) as task:
            try:
                yield
            finally:
                self._loop, self._closing = None, True
                self._added.set()
                await asyncio.wait([task], timeout=_CLOSING_S)

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
