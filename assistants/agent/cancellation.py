"""Cancellation of runs from outside: because somebody asked for it, or because their key may no longer call.

Each process has a registry of the runs that it executes. A NOTIFY of the change feed makes it compare that
registry with the database, so a cancellation reaches a run within milliseconds, on whichever process it is.
Members of staff who chat are looked up every STAFF_CHECK_S: no feed reports who they are, or their rights.
A key that was rotated ends the runs of its old secret when the grace period ends, at once without one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta

import django.db
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied

from apikeys.authentication import still_calling
from apikeys.errors import InvalidApiKey
from apikeys.principal import Principal
from assistants.errors import RunCancelled
from assistants.models import RunCancellation, alive
from core import feed
from core.background import supervised
from core.database import in_thread
from core.message import Message

log = logging.getLogger(__name__)

STAFF_CHECK_S = 2.0
_RETRY_S = 1.0
_SLACK_S = 0.01
"""A timer may fire a little early, and the key would still be good then."""


class CancelScope:
    """Lets another part of the process end one run: `cancel` makes the run raise `reason`."""

    def __init__(self) -> None:
        self._reason: Exception | None = None
        self._on_cancel: Callable[[Exception], object] | None = None

    @property
    def reason(self) -> Exception | None:
        """The exception that ends the run; None while nothing does."""
        return self._reason

    @property
    def is_cancelled(self) -> bool:
        return self._reason is not None

    def cancel(self, reason: Exception) -> None:
        """The first reason counts; later ones are ignored."""
        if self._reason is None:
            self._reason = reason
            if self._on_cancel is not None:
                self._on_cancel(reason)

    def on_cancel(self, callback: Callable[[Exception], object]) -> None:
        """Call `callback` with the reason, at once if the scope is cancelled already."""
        self._on_cancel = callback
        if self._reason is not None:
            callback(self._reason)


_registry: dict[CancelScope, tuple[Principal, str]] = {}
"""For each scope the caller, and the id of the run ("" for a stream that is none)."""
_changed = asyncio.Event()
_alarm: asyncio.TimerHandle | None = None
_stopping: Exception | None = None


@contextmanager
def registered(principal: Principal, run_id: str = "") -> Iterator[CancelScope]:
    """What the caller is given can be cancelled from outside for as long as the context lasts."""
    scope = CancelScope()
    if _stopping is not None:
        scope.cancel(_stopping)
    _registry[scope] = principal, run_id
    # No change is notified when a time is over.
    alarm = _notify_at(_next_check(principal, principal.expires_at))
    try:
        yield scope
    finally:
        if alarm is not None:
            alarm.cancel()
        del _registry[scope]


@asynccontextmanager
async def cancellable(principal: Principal, run_id: str = "") -> AsyncIterator[None]:
    """Ends the block, wherever it waits, when it is cancelled from outside. Raises the reason then."""
    # A time-out without a time: to reschedule it is the way to end the block from another task.
    timeout, loop = asyncio.timeout(None), asyncio.get_running_loop()
    with registered(principal, run_id) as scope:
        try:
            async with timeout:
                scope.on_cancel(lambda _: timeout.reschedule(loop.time()))
                yield
        except TimeoutError as error:
            if not timeout.expired() or scope.reason is None:  # somebody else's, raised inside the block
                raise
            raise scope.reason from error


def cancel_all(reason: Exception) -> None:
    """Ends every run and stream of this process, and those that begin later, because the process ends."""
    global _stopping  # noqa: PLW0603 - one for each process
    _stopping = reason
    for scope in list(_registry):
        scope.cancel(reason)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """The runs of this event loop are cancelled on demand for as long as the context lasts."""
    # An asyncio.Event belongs to the loop that first waits for it, and tests run many loops in one process.
    global _changed, _stopping
    _changed, _stopping = asyncio.Event(), None
    async with supervised("The cancellation of runs", _cancel_on_change):
        yield


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
        except Exception as error:
            _changed.set()  # so that this pass is made again
            if not isinstance(error, django.db.Error):
                raise
            log.warning("Whether runs are still wanted cannot be read: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_S)


async def _cancel_unwanted() -> None:
    global _alarm  # noqa: PLW0603 - one for the loop
    # A copy, because runs begin and end while the database is asked.
    if not (scopes := dict(_registry)):
        return
    calling = await still_calling({principal for principal, _ in scopes.values()})
    cancelled = await _cancelled({run_id for _, run_id in scopes.values() if run_id})
    for scope, (principal, run_id) in scopes.items():
        if principal not in calling:
            scope.cancel(_taken_away(principal))
        elif run_id in cancelled:
            scope.cancel(RunCancelled())
    if _alarm is not None:
        _alarm.cancel()
    # A rotation or an edit may have given a key an end that it did not have when its run began.
    checks = [check for each, end in calling.items() if (check := _next_check(each, end)) is not None]
    _alarm = _notify_at(min(checks, default=None))


def _next_check(principal: Principal, end: datetime | None) -> datetime | None:
    """Returns when the caller is to be looked up although no change is notified; None for never."""
    return end if principal.user_id is None else timezone.now() + timedelta(seconds=STAFF_CHECK_S)


def _taken_away(principal: Principal) -> Exception:
    if principal.user_id is None:
        return InvalidApiKey("The API key was taken away while this ran.")
    return PermissionDenied(Message("You may not chat with assistants any more."))


def _notify_at(end: datetime | None) -> asyncio.TimerHandle | None:
    """Has the registry compared with the database at this time."""
    if end is None:
        return None
    delay_s = max(0.0, (end - timezone.now()).total_seconds()) + _SLACK_S
    return asyncio.get_running_loop().call_later(delay_s, _notify)


@in_thread
def _cancelled(run_ids: Collection[str]) -> set[str]:
    """Returns the ids of the runs that somebody cancelled."""
    cancellations = alive(RunCancellation.objects.filter(run_id__in=list(run_ids)))
    return set(cancellations.values_list("run_id", flat=True))
