"""Waits for outcomes, in any process: the change feed wakes those who wait within milliseconds.

However many wait in a process, each notification costs it one query. While the feed is down, and until it has
been up for the first time, they are looked up once a second.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from assistants.approvals.outcomes import Outcome, outcome_of
from assistants.models import Approval, ApprovalState
from core import feed
from core.background import supervised
from core.database import DATABASE_ERRORS, in_thread

log = logging.getLogger(__name__)

MOST_WAITERS = 2_000
"""In a process. Whoever comes later is told at once that nothing is known yet."""
_RETRY_S = 1.0
Waiter = asyncio.Future[Outcome]

_waiters: dict[Waiter, int] = {}
"""The numbers of the calls that they wait for."""
_changed = asyncio.Event()


async def outcome(number: int, *, wait_s: float) -> Outcome | None:
    """Returns what became of a call as soon as it is over; None if it is not after `wait_s` seconds."""
    if len(_waiters) >= MOST_WAITERS:
        wait_s = 0.0
    waiter: Waiter = asyncio.get_running_loop().create_future()
    _waiters[waiter] = number
    if not math.isinf(feed.max_age()):
        _notify()  # nobody else will
    try:
        with suppress(*DATABASE_ERRORS):  # the feed finds it when the database is back
            if found := (await _over([number])).get(number):
                return found
        async with asyncio.timeout(wait_s) as timeout:
            return await waiter
    except TimeoutError:
        if not timeout.expired():
            raise
        return None
    finally:
        del _waiters[waiter]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Those who wait in this event loop are woken for as long as the context lasts."""
    # An asyncio.Event belongs to the loop that first waits for it, and tests run many loops in one process.
    global _changed  # noqa: PLW0603 - one for each process
    _changed = asyncio.Event()
    async with supervised("The waiting for approvals", _wake_for_ever):
        yield


def _notify() -> None:
    _changed.set()


feed.subscribe(["assistants_approval"], _notify)


async def _wake_for_ever() -> None:
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if _is_fed() else _RETRY_S):
                await _changed.wait()
        # Before the rows are read: a change that comes while they are read starts another pass.
        _changed.clear()
        try:
            await _wake()
        except DATABASE_ERRORS as error:
            log.warning("What became of approvals cannot be read: %s", type(error).__name__)
            _changed.set()
            await asyncio.sleep(_RETRY_S)


def _is_fed() -> bool:
    return not _waiters or math.isinf(feed.max_age())


async def _wake() -> None:
    if not (numbers := set(_waiters.values())):
        return
    over = await _over(numbers)
    for waiter, number in list(_waiters.items()):
        if number in over and not waiter.done():
            waiter.set_result(over[number])


@in_thread
def _over(numbers: Collection[int]) -> dict[int, Outcome]:
    rows = Approval.objects.filter(pk__in=list(numbers), state__in=ApprovalState.final())
    found = ((row.pk, outcome_of(row)) for row in rows)
    return {number: each for number, each in found if each is not None}
