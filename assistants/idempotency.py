"""Requests that may be sent again, as rows that all web processes see: none of them runs its tools twice."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
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
from core.background import BatchWriter
from core.database import in_thread

log = logging.getLogger(__name__)

NAMED_TTL = timedelta(days=1)
RETRIED_TTL = timedelta(minutes=10)
LOST_AFTER = timedelta(seconds=15)
_TELL_EVERY_S = 5.0

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """`owner`: of the row, while this request is the one that is answered."""

    api_key_id: int
    name: str
    body_hash: str
    ttl: timedelta
    owner: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def row(self) -> Attempt:
        now = timezone.now()
        return Attempt(
            api_key_id=self.api_key_id,
            name=self.name,
            body_hash=self.body_hash,
            owner=self.owner,
            seen_at=now,
            expires_at=now + self.ttl,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """`status` None: nothing is to be remembered."""

    request: Request
    status: Attempt.Status | None
    answer: Answer | None = field(default=None, repr=False)


@in_thread
@transaction.atomic
def claim(request: Request) -> Attempt:
    """What stands under the request's name: it is to be answered by `request` if that is the row's owner."""
    row = request.row
    Attempt.objects.bulk_create([row], ignore_conflicts=True)
    standing = Attempt.objects.select_for_update().get(api_key_id=request.api_key_id, name=request.name)
    if standing.expires_at > timezone.now():
        return standing
    row.pk = standing.pk
    row.save(force_update=True)
    return row


@in_thread
def look(request: Request) -> tuple[Attempt | None, bool]:
    """What stands under the name, if anything does, and whether whoever was to answer it is lost."""
    is_lost = ExpressionWrapper(Q(seen_at__lt=Now() - LOST_AFTER), output_field=BooleanField())
    rows = alive(Attempt.objects.filter(api_key_id=request.api_key_id, name=request.name))
    row = rows.annotate(is_lost=is_lost).first()
    return row, row is not None and row.status == Attempt.Status.RUNNING and row.is_lost


def begin(request: Request) -> None:
    """For the first of its name, off its path: it takes the place of whatever stood there."""
    began(request)
    _writer.add(request)


def began(request: Request) -> None:
    """For one that has its row."""
    _running[request.owner] = time.monotonic()


def end(request: Request, status: Attempt.Status | None, answer: Answer | None = None) -> None:
    _running.pop(request.owner, None)
    _writer.add(Ended(request, status, answer))


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Tells the others that this process lives, for as long as the context lasts."""
    async with _writer.running():
        telling = asyncio.create_task(_tell(), name="attempts")
        try:
            yield
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling


async def _tell() -> None:
    while True:
        await asyncio.sleep(_TELL_EVERY_S)
        try:
            if owners := _still_running():
                await _see(owners)
        except django.db.Error as error:
            log.warning("Running requests cannot be told of: %s", type(error).__name__)


def _still_running() -> set[uuid.UUID]:
    """A caller can leave at the one moment at which nobody is told: no run is longer than its deadline."""
    oldest = time.monotonic() - settings.RUN_DEADLINE_S
    for owner in [owner for owner, since in _running.items() if since < oldest]:
        del _running[owner]
    return set(_running)


@in_thread
def _see(owners: Iterable[uuid.UUID]) -> None:
    Attempt.objects.filter(status=Attempt.Status.RUNNING, owner__in=owners).update(seen_at=Now())


@in_thread
def _write(items: Sequence[Request | Ended]) -> None:
    """What began and was forgotten within one batch never was."""
    ended = {item.request.owner: item for item in items if isinstance(item, Ended)}
    forgotten = {owner for owner, item in ended.items() if item.status is None}
    begun = {
        (item.api_key_id, item.name): item.row
        for item in items
        if isinstance(item, Request) and item.owner not in forgotten
    }
    Attempt.objects.bulk_create(
        [begun[name] for name in sorted(begun)],
        update_conflicts=True,
        unique_fields=["api_key", "name"],
        update_fields=["body_hash", "status", "owner", "seen_at", "answer", "expires_at"],
    )
    for item in ended.values():
        _end(item)


def _end(item: Ended) -> None:
    rows = Attempt.objects.filter(
        api_key_id=item.request.api_key_id, name=item.request.name, owner=item.request.owner
    )
    if item.status is None:
        rows.delete()
    else:
        rows.update(status=item.status, answer=item.answer)


_running: dict[uuid.UUID, float] = {}
_writer: BatchWriter[Request | Ended] = BatchWriter("attempts", _write, gather_s=0.1)
