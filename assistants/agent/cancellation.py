"""The runs of this process, and what ends them from outside: a cancellation, or the end of their key."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import django.db

from apikeys.errors import InvalidApiKey
from apikeys.models import ApiKey
from assistants.errors import RunCancelled
from assistants.models import RunCancellation, alive
from core import feed
from core.database import in_thread

log = logging.getLogger(__name__)

_RETRY_S = 1.0
Ending = asyncio.Future[None]
"""Fails with what ends a run, should anything do so."""

_runs: dict[str, tuple[int, Ending]] = {}
_news = asyncio.Event()


@contextmanager
def listed(run_id: str, api_key_id: int) -> Iterator[Ending]:
    """The run can be ended from outside for as long as the context lasts."""
    ending: Ending = asyncio.get_running_loop().create_future()
    _runs[run_id] = api_key_id, ending
    try:
        yield ending
    finally:
        del _runs[run_id]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Runs of this event loop end when somebody wants it, for as long as the context lasts."""
    global _news  # noqa: PLW0603 - an event belongs to one loop
    _news = asyncio.Event()
    task = asyncio.create_task(_end_as_told(), name="ending-runs")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _tell() -> None:
    _news.set()


feed.subscribe(["apikeys_apikey", "assistants_runcancellation"], _tell)


async def _end_as_told() -> None:
    while True:
        await _news.wait()
        _news.clear()
        try:
            await _end_unwanted()
        except django.db.Error as error:
            log.warning("Whether runs are still wanted cannot be read: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_S)
            _news.set()


async def _end_unwanted() -> None:
    if not (runs := dict(_runs)):
        return
    usable = await _usable({api_key_id for api_key_id, _ in runs.values()})
    cancelled = await _cancelled(runs)
    for run_id, (api_key_id, ending) in runs.items():
        if ending.done():
            continue
        if api_key_id not in usable:
            ending.set_exception(InvalidApiKey("The API key was taken away while this ran."))
        elif run_id in cancelled:
            ending.set_exception(RunCancelled())


@in_thread
def _usable(api_key_ids: Collection[int]) -> set[int]:
    keys = ApiKey.objects.usable().filter(pk__in=api_key_ids, can_call_assistant=True)
    return set(keys.values_list("pk", flat=True))


@in_thread
def _cancelled(run_ids: Collection[str]) -> set[str]:
    cancellations = alive(RunCancellation.objects.filter(run_id__in=list(run_ids)))
    return set(cancellations.values_list("run_id", flat=True))
