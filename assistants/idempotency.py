"""Requests that a caller may send again, as rows (model Attempt) that all web processes share.

A row belongs to one API key and one name, and its `owner` is the request that is being answered. Other
requests of that name wait for the owner's answer. Owners report every 5 s that they are alive: one that was
silent for 15 s died, and its row is never answered.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import django.db
from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone

from assistants.models import Attempt, alive
from core.background import BatchWriter, supervised
from core.database import in_thread, in_thread_until_done

log = logging.getLogger(__name__)

NAMED_TTL = timedelta(days=1)
RETRIED_TTL = timedelta(minutes=10)
LOST_AFTER = timedelta(seconds=15)
_REPORT_EVERY_S = 5.0

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The name under which one request asks for its row, and the `owner` that it would enter there.

    `name` is unique per API key: made of the caller's Idempotency-Key, or of the body's hash. `body_hash`
    distinguishes a repetition from another request that reuses the name.
    """

    api_key_id: int
    name: str
    body_hash: str
    ttl: timedelta
    owner: uuid.UUID = field(default_factory=uuid.uuid4)

    def new_row(self) -> Attempt:
        now = timezone.now()
        return Attempt(
            api_key_id=self.api_key_id,
            name=self.name,
            body_hash=self.body_hash,
            owner=self.owner,
            seen_at=now,
            expires_at=now + self.ttl,
        )

    def owns(self, row: Attempt) -> bool:
        return row.owner == self.owner


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an owner's request ended. `status` None deletes its row: the request may be run again."""

    key: IdempotencyKey
    status: Attempt.Status | None
    answer: Answer | None = field(default=None, repr=False)


@in_thread
@transaction.atomic
def claim(key: IdempotencyKey) -> Attempt:
    """Returns the row of this name: the key's own, unless there is one that has not expired."""
    row = key.new_row()
    Attempt.objects.bulk_create([row], ignore_conflicts=True)
    existing = Attempt.objects.select_for_update().get(api_key_id=key.api_key_id, name=key.name)
    if existing.expires_at > timezone.now():
        return existing
    row.pk = existing.pk
    row.save(force_update=True)
    return row


@in_thread
def find(key: IdempotencyKey) -> tuple[Attempt | None, bool]:
    """Returns the row of this name, if there is one, and whether its owner died before it was done."""
    is_lost = ExpressionWrapper(Q(seen_at__lt=Now() - LOST_AFTER), output_field=BooleanField())
    rows = alive(Attempt.objects.filter(api_key_id=key.api_key_id, name=key.name))
    row = rows.annotate(is_lost=is_lost).first()
    return row, row is not None and row.status == Attempt.Status.RUNNING and row.is_lost


def overwrite(key: IdempotencyKey) -> None:
    """Makes the key the owner of its row in the background, replacing whatever row is there.

    For a request that cannot be a repetition: it need not wait for the database.
    """
    hold(key)
    _writer.add(key)


def hold(key: IdempotencyKey) -> None:
    """Reports from now on that the owner is alive. `release` ends it."""
    _held[key.owner] = time.monotonic()


def release(key: IdempotencyKey, status: Attempt.Status | None, answer: Answer | None = None) -> None:
    """Writes the outcome into the row in the background, if the key owns it still."""
    _held.pop(key.owner, None)
    _writer.add(Outcome(key, status, answer))


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Writes outcomes, and reports this process's owners as alive, for as long as the context lasts."""
    async with _writer.running(), supervised("The report of running requests", _report):
        yield


async def _report() -> None:
    while True:
        await asyncio.sleep(_REPORT_EVERY_S)
        try:
            if owners := _living_owners():
                await _touch(owners)
        except django.db.Error as error:
            log.warning("Running requests cannot be reported as alive: %s", type(error).__name__)


def _living_owners() -> set[uuid.UUID]:
    # A caller can leave at a moment at which no code of ours runs to release its row. No run is longer than
    # its deadline: what was held for longer is over.
    oldest = time.monotonic() - settings.RUN_DEADLINE_S
    for owner in [owner for owner, since in _held.items() if since < oldest]:
        del _held[owner]
    return set(_held)


@in_thread
def _touch(owners: Iterable[uuid.UUID]) -> None:
    Attempt.objects.filter(status=Attempt.Status.RUNNING, owner__in=owners).update(seen_at=Now())


@in_thread_until_done
def _write(items: Sequence[IdempotencyKey | Outcome]) -> None:
    outcomes = {item.key.owner: item for item in items if isinstance(item, Outcome)}
    # Most requests begin and end within one batch without a tool call: they never become a row.
    deleted = {owner for owner, item in outcomes.items() if item.status is None}
    begun = {
        (item.api_key_id, item.name): item.new_row()
        for item in items
        if isinstance(item, IdempotencyKey) and item.owner not in deleted
    }
    Attempt.objects.bulk_create(
        # Sorted: two processes that write the same rows in two orders would wait for each other.
        [begun[name] for name in sorted(begun)],
        update_conflicts=True,
        unique_fields=["api_key", "name"],
        update_fields=["body_hash", "status", "owner", "seen_at", "answer", "expires_at"],
    )
    for item in outcomes.values():
        _end(item)


def _end(item: Outcome) -> None:
    rows = Attempt.objects.filter(api_key_id=item.key.api_key_id, name=item.key.name, owner=item.key.owner)
    if item.status is None:
        rows.delete()
    else:
        rows.update(status=item.status, answer=item.answer)


_held: dict[uuid.UUID, float] = {}
_writer: BatchWriter[IdempotencyKey | Outcome] = BatchWriter("idempotency", _write, gather_s=0.1)
