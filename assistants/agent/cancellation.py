"""Cancellation of runs from outside: because somebody asked for it, or because their key may no longer call.

Each process has a registry of the runs that it executes. A NOTIFY of the change feed makes it compare that
registry with the database, so a cancellation reaches a run within milliseconds, on whichever process it is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterator
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


class CancelScope:
    """Lets another part of the process end one run: `cancel` makes the run raise `reason`."""

    def __init__(self) -> None:
        self._reason: Exception | None = None
        self._on_cancel: Callable[[Exception], None] | None = None

    @property
    def is_cancelled(self) -> bool:
        return self._reason is not None

    def cancel(self, reason: Exception) -> None:
        """The first reason counts; later ones are ignored."""
        if self._reason is None:
            self._reason = reason
            if self._on_cancel is not None:
                self._on_cancel(reason)

    def on_cancel(self, callback: Callable[[Exception], None]) -> None:
        """Call `callback` with the reason, at once if the scope is cancelled already."""
        self._on_cancel = callback
        if self._reason is not None:
            callback(self._reason)


_registry: dict[str, tuple[int, CancelScope]] = {}
"""The id of the API key, and the scope, by run id."""
_changed = asyncio.Event()


@contextmanager
def registered(run_id: str, api_key_id: int) -> Iterator[CancelScope]:
    """The run can be cancelled from outside for as long as the context lasts."""
    scope = CancelScope()
    _registry[run_id] = api_key_id, scope
    try:
        yield scope
    finally:
        del _registry[run_id]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """The runs of this event loop are cancelled on demand for as long as the context lasts."""
    # An asyncio.Event belongs to the loop that first waits for it, and tests run many loops in one process.
    global _changed  # noqa: PLW0603
    _changed = asyncio.Event()
    task = asyncio.create_task(_cancel_on_change(), name="cancelling-runs")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _notify() -> None:
    _changed.set()


feed.subscribe(["apikeys_apikey", "assistants_runcancellation"], _notify)


async def _cancel_on_change() -> None:
    while True:
        await _changed.wait()
        # Before the rows are read: a change that comes while they are read starts another pass.
        _changed.clear()
        try:
            await _cancel_unwanted()
        except django.db.Error as error:
            log.warning("Whether runs are still wanted cannot be read: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_S)
            _changed.set()
        except (
            Exception
        ):  # the top of a task: without this it would die, and no run could be cancelled any more
            log.exception("Runs could not be cancelled")


async def _cancel_unwanted() -> None:
    # A copy, because runs begin and end while the database is asked.
    if not (runs := dict(_registry)):
        return
    usable = await _usable({api_key_id for api_key_id, _ in runs.values()})
    cancelled = await _cancelled(runs)
    for run_id, (api_key_id, scope) in runs.items():
        if api_key_id not in usable:
            scope.cancel(InvalidApiKey("The API key was taken away while this ran."))
        elif run_id in cancelled:
            scope.cancel(RunCancelled())


@in_thread
def _usable(api_key_ids: Collection[int]) -> set[int]:
    """Returns the ids of the keys that may still call assistants."""
    keys = ApiKey.objects.usable().filter(pk__in=api_key_ids, can_call_assistant=True)
    return set(keys.values_list("pk", flat=True))


@in_thread
def _cancelled(run_ids: Collection[str]) -> set[str]:
    """Returns the ids of the runs that somebody cancelled."""
    cancellations = alive(RunCancellation.objects.filter(run_id__in=list(run_ids)))
    return set(cancellations.values_list("run_id", flat=True))
