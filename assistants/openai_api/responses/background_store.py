"""A background response's course as rows: who is at it, what was told of it, how it ended."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from assistants.models import ResponseEvents, StoredResponse
from core.database import in_thread

LEASE_S = 10.0
_RETRY_S = 1.0
_UNDER_WAY = {StoredResponse.Status.IN_PROGRESS, StoredResponse.Status.CANCELLED}
"""While its worker is at it, or has yet to see that it was cancelled."""
Events = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """Some events. `is_last`: nothing more will come. `ended_as` is None, too, when it was deleted."""

    events: Sequence[dict[str, Any]]
    is_last: bool
    ended_as: Mapping[str, Any] | None = None


@in_thread
@transaction.atomic
def open_for(row: StoredResponse, events: Events) -> None:
    row.save(force_insert=True)
    _append(row.pk, events)


@in_thread
def page(response_pk: int, *, after: int) -> Page:
    # The row first: what was told of a response that is over was written with its end.
    row = StoredResponse.objects.only("status").filter(pk=response_pk).first()
    if row is None:
        return Page([], is_last=True)
    batches = ResponseEvents.objects.filter(response=row)
    first = batches.filter(first_number__lte=after + 1).order_by("-first_number").values("first_number")[:1]
    events = [
        event
        for batch in batches.filter(first_number__gte=first)
        for event in batch.events
        if event["sequence_number"] > after
    ]
    return Page(events, row.is_over, row.resource if row.is_over else None)


@in_thread
def cancel(response_pk: int) -> None:
    """Its worker sees it when it renews its lease."""
    rows = StoredResponse.objects.filter(pk=response_pk)
    (rows.waiting() | rows.running()).update(status=StoredResponse.Status.CANCELLED)


# --- the worker's side ---


@in_thread
@transaction.atomic
def claim(most: int) -> list[StoredResponse]:
    """Responses that nobody gives yet, the oldest first."""
    waiting = StoredResponse.objects.waiting().filter(expires_at__gt=Now())
    rows = list(waiting.select_for_update(skip_locked=True).order_by("pk")[:most])
    taken = StoredResponse.objects.filter(pk__in=[row.pk for row in rows])
    taken.update(status=StoredResponse.Status.IN_PROGRESS, lease_until=_lease_end())
    return rows


@in_thread
def renew(response_pks: Collection[int]) -> set[int]:
    """Those that are still wanted: neither cancelled, deleted, nor given up for lost."""
    running = StoredResponse.objects.running().filter(pk__in=response_pks)
    running.update(lease_until=_lease_end())
    return set(running.values_list("pk", flat=True))


async def append(response_pk: int, events: Events) -> None:
    await _with_retries(lambda: _appended(response_pk, events))


async def finish(response_pk: int, body: Mapping[str, Any], events: Events) -> None:
    """How it ended, unless that was decided already. What is left of one that was cancelled is kept."""
    await _with_retries(lambda: _finished(response_pk, body, events))


@in_thread
@transaction.atomic
def _appended(response_pk: int, events: Events) -> None:
    row = _locked(response_pk)
    if row is not None and row.status in _UNDER_WAY:
        _append(response_pk, events)


@in_thread
@transaction.atomic
def _finished(response_pk: int, body: Mapping[str, Any], events: Events) -> None:
    row = _locked(response_pk)
    if row is None or row.status not in _UNDER_WAY:
        return
    if row.status == row.Status.IN_PROGRESS:
        row.status = body["status"]
    row.body, row.request, row.lease_until = body, None, None
    row.save(update_fields=["status", "body", "request", "lease_until"])
    _append(response_pk, events)


def _locked(response_pk: int) -> StoredResponse | None:
    return StoredResponse.objects.only("status").select_for_update().filter(pk=response_pk).first()


def _append(response_pk: int, events: Events) -> None:
    """Over what began at the same number: a write that was given up may have come through."""
    if events:
        number = events[0]["sequence_number"]
        batch = ResponseEvents(response_id=response_pk, first_number=number, events=list(events))
        ResponseEvents.objects.bulk_create(
            [batch],
            update_conflicts=True,
            unique_fields=["response", "first_number"],
            update_fields=["events"],
        )


async def _with_retries(write: Callable[[], Awaitable[None]]) -> None:
    """Repeats a write while the database is unreachable, for as long as the lease may last."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((OperationalError, InterfaceError)),
        wait=wait_fixed(_RETRY_S),
        stop=stop_after_attempt(1 + round(LEASE_S / _RETRY_S)),
        reraise=True,
    ):
        with attempt:
            await write()


def _lease_end() -> CombinedExpression:
    """By the database's clock, as all of a lease."""
    return Now() + timedelta(seconds=LEASE_S)
