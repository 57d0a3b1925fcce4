"""Background responses as rows: the lease of the worker that runs one, its events so far, and its end."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from assistants.models import Approval, ApprovalState, ResponseEvents, StoredResponse
from assistants.openai_api.responses.held_runs import HeldRun
from core.database import in_thread

LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})
LEASE_S = 10.0
_RETRY_S = 1.0
_UNDER_WAY = {StoredResponse.Status.IN_PROGRESS, StoredResponse.Status.CANCELLED}
"""A worker runs the response, or does not know yet that it was cancelled: it may still write."""
Events = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """Some events. `is_last`: no more will come.

    `ended_as` is the resource of a response that ended without a last event, which no worker wrote, and
    `next_number` the number that this event would have.
    """

    events: Sequence[dict[str, Any]]
    is_last: bool
    ended_as: Mapping[str, Any] | None = None
    next_number: int = 0


@in_thread
@transaction.atomic
def insert(row: StoredResponse, events: Events) -> None:
    row.save(force_insert=True)
    _append(row.pk, events)


@in_thread
def page(response_pk: int, *, after: int) -> Page:
    # The row first: the last events of a response are written in one transaction with its end, so a row that
    # is over has them all. Read the other way round, the last ones could be missed.
    row = StoredResponse.objects.only("status").filter(pk=response_pk).first()
    if row is None:
        return Page([], is_last=True)
    batches = ResponseEvents.objects.filter(response=row)
    first = batches.filter(first_number__lte=after + 1).order_by("-first_number").values("first_number")[:1]
    stored = [event for batch in batches.filter(first_number__gte=first) for event in batch.events]
    events = [event for event in stored if event["sequence_number"] > after]
    if not row.is_over:
        return Page(events, is_last=False)
    has_end = bool(stored) and stored[-1]["type"] in LAST_EVENTS
    next_number = stored[-1]["sequence_number"] + 1 if stored else 0
    return Page(events, is_last=True, ended_as=None if has_end else row.resource, next_number=next_number)


@in_thread
def cancel(response_pk: int) -> None:
    """Marks a response as cancelled: its worker reads that when it next renews the lease."""
    rows = StoredResponse.objects.filter(pk=response_pk)
    (rows.unclaimed() | rows.running()).update(status=StoredResponse.Status.CANCELLED)


# --- the worker's side ---


@in_thread
@transaction.atomic
def claim(most: int) -> list[StoredResponse]:
    """Leases up to `most` responses that no worker has, the oldest first, and returns them."""
    waiting = StoredResponse.objects.waiting().filter(expires_at__gt=Now())
    rows = list(waiting.select_for_update(skip_locked=True).order_by("pk")[:most])
    claimed = StoredResponse.objects.filter(pk__in=[row.pk for row in rows])
    claimed.update(status=StoredResponse.Status.IN_PROGRESS, lease_until=_lease_end())
    return rows


@in_thread
def renew(response_pks: Collection[int]) -> set[int]:
    """Renews the leases of the responses that may go on, and returns their ids.

    The others were cancelled or deleted, or their lease ran out and they count as lost.
    """
    running = StoredResponse.objects.running().filter(pk__in=response_pks)
    running.update(lease_until=_lease_end())
    return set(running.values_list("pk", flat=True))


@in_thread
def first_open(numbers: Collection[int]) -> int | None:
    """Returns the number of an approval that is still waited for."""
    rows = Approval.objects.filter(pk__in=list(numbers)).exclude(state__in=ApprovalState.final())
    return rows.values_list("pk", flat=True).order_by("pk").first()


async def wait(
    response_pk: int, awaits: int, held: HeldRun, events: Events, body: Mapping[str, Any] | None = None
) -> None:
    """Gives a response back, to be claimed when the approval is decided. `body`: the answer so far."""
    await _with_retries(lambda: _waits(response_pk, awaits, held, events, body))


async def append(response_pk: int, events: Events) -> None:
    await _with_retries(lambda: _appended(response_pk, events))


async def finish(response_pk: int, body: Mapping[str, Any], events: Events) -> None:
    """Saves how a response ended, unless it was marked as lost meanwhile.

    One that was cancelled keeps that status, with what it had answered so far.
    """
    await _with_retries(lambda: _finished(response_pk, body, events))


@in_thread
@transaction.atomic
def _appended(response_pk: int, events: Events) -> None:
    row = _locked(response_pk)
    if row is not None and row.status in _UNDER_WAY:
        _append(response_pk, events)


@in_thread
@transaction.atomic
def _waits(
    response_pk: int, awaits: int, held: HeldRun, events: Events, body: Mapping[str, Any] | None
) -> None:
    row = StoredResponse.objects.select_for_update().filter(pk=response_pk).first()
    if row is None or row.status != row.Status.IN_PROGRESS:
        return
    row.status, row.awaits, row.lease_until = row.Status.QUEUED, awaits, None
    row.request = {**row.request, "held": held.as_json}
    row.body = body or row.body
    row.save(update_fields=["status", "awaits", "lease_until", "request", "body"])
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
    if events:
        # A repeated write replaces the first one: its connection may have broken after the commit.
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
    """Returns when a lease that begins now ends, by the database's clock: workers' clocks differ."""
    return Now() + timedelta(seconds=LEASE_S)
