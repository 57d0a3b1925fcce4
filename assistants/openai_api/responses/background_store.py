"""Background responses as rows: the lease of the worker that runs one, its events so far, and its end.

Each claim has a fence. Whoever writes gives it: a response that was given back, and claimed by another worker
since, is not written by the one before, whose write may come late or be repeated.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

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
    for row in rows:
        row.status, row.fence = row.Status.IN_PROGRESS, uuid4()
    StoredResponse.objects.bulk_update(rows, ["status", "fence"])
    StoredResponse.objects.filter(pk__in=[row.pk for row in rows]).update(lease_until=_lease_end())
    return rows


@in_thread
def renew(fences: Collection[UUID]) -> set[UUID]:
    """Renews the leases of the responses that may go on, and returns their fences.

    The others were cancelled or deleted, or their lease ran out and they count as lost.
    """
    running = StoredResponse.objects.running().filter(fence__in=fences)
    running.update(lease_until=_lease_end())
    return {fence for fence in running.values_list("fence", flat=True) if fence is not None}


@in_thread
def first_open(numbers: Collection[int]) -> int | None:
    """Returns the number of an approval that is still waited for."""
    rows = Approval.objects.filter(pk__in=list(numbers)).exclude(state__in=ApprovalState.final())
    return rows.values_list("pk", flat=True).order_by("pk").first()


async def wait(
    claimed: StoredResponse,
    awaits: int,
    held: HeldRun,
    events: Events,
    body: Mapping[str, Any] | None = None,
) -> None:
    """Gives a response back, to be claimed when the approval is decided. `body`: the answer so far."""
    await _with_retries(lambda: _waits(claimed, awaits, held, events, body))


async def append(claimed: StoredResponse, events: Events) -> None:
    await _with_retries(lambda: _appended(claimed, events))


async def finish(claimed: StoredResponse, body: Mapping[str, Any], events: Events) -> None:
    """Saves how a response ended, unless it was marked as lost meanwhile.

    One that was cancelled keeps that status, with what it had answered so far.
    """
    await _with_retries(lambda: _finished(claimed, body, events))


@in_thread
@transaction.atomic
def _appended(claimed: StoredResponse, events: Events) -> None:
    if _locked(claimed) is not None:
        _append(claimed.pk, events)


@in_thread
@transaction.atomic
def _waits(
    claimed: StoredResponse, awaits: int, held: HeldRun, events: Events, body: Mapping[str, Any] | None
) -> None:
    row = _locked(claimed)
    if row is None or row.status != row.Status.IN_PROGRESS:
        return
    row.status, row.awaits, row.lease_until, row.fence = row.Status.QUEUED, awaits, None, None
    row.request = {**claimed.request, "held": held.as_json}
    row.body = body or claimed.body
    row.save(update_fields=["status", "awaits", "lease_until", "fence", "request", "body"])
    _append(row.pk, events)


@in_thread
@transaction.atomic
def _finished(claimed: StoredResponse, body: Mapping[str, Any], events: Events) -> None:
    row = _locked(claimed)
    if row is None:
        return
    if row.status == row.Status.IN_PROGRESS:
        row.status = body["status"]
    row.body, row.request, row.lease_until = body, None, None
    row.save(update_fields=["status", "body", "request", "lease_until"])
    _append(row.pk, events)


def _locked(claimed: StoredResponse) -> StoredResponse | None:
    """Returns the row, which only this transaction changes; None where the claim does not hold any more."""
    rows = StoredResponse.objects.only("status").select_for_update()
    return rows.filter(pk=claimed.pk, fence=claimed.fence, status__in=_UNDER_WAY).first()


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
