"""The rows of deliveries: who sends one, and what became of it. Any number of workers may send at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import F, Window
from django.db.models.functions import Now, RowNumber

from assistants.models import Delivery, DeliveryState

BACKOFF_S = (5, 60, 10 * 60, 3600, 6 * 3600)
"""Seconds from one attempt to the next. When the last one has failed, the delivery has."""
CLAIMED_S = 60
"""After so long the attempt of a sender that died is followed by another one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt. `status_code` is None where no answer came."""

    status_code: int | None
    error: str = ""
    """For staff; empty: it was delivered."""


@transaction.atomic
def claim(most: int, *, busy: Collection[int] = ()) -> list[Delivery]:
    """Returns deliveries that are due, with webhook and event. Nobody else gets them for CLAIMED_S.

    `most` of each webhook, those that have waited longest; none of `busy` webhooks.
    """
    due = Delivery.objects.filter(
        state=DeliveryState.WAITING, next_attempt_at__lte=Now(), webhook__is_enabled=True
    ).exclude(webhook__in=busy)
    place = Window(RowNumber(), partition_by="webhook", order_by="next_attempt_at")
    first = due.annotate(place=place).filter(place__lte=most).values_list("pk", flat=True)
    # PostgreSQL locks no rows that a window is about: hence two queries, and the conditions in both.
    locked = due.filter(pk__in=list(first)).select_for_update(skip_locked=True, of=("self",))
    claimed = Delivery.objects.filter(pk__in=list(locked.values_list("pk", flat=True)))
    claimed.update(
        fence=uuid4(),
        attempts=F("attempts") + 1,
        last_attempt_at=Now(),
        next_attempt_at=Now() + timedelta(seconds=CLAIMED_S),
    )
    return list(claimed.select_related("webhook", "event").order_by("pk"))


def finish(delivery: Delivery, attempt: Attempt) -> None:
    """Writes what became of the attempt, unless another one has begun since."""
    mine = Delivery.objects.filter(pk=delivery.pk, fence=delivery.fence)
    outcome = {"status_code": attempt.status_code, "error": attempt.error, "fence": None}
    if not attempt.error:
        mine.update(**outcome, state=DeliveryState.DELIVERED, next_attempt_at=None)
    elif delivery.attempts > len(BACKOFF_S):
        mine.update(**outcome, state=DeliveryState.FAILED, next_attempt_at=None)
    else:
        pause = timedelta(seconds=BACKOFF_S[delivery.attempts - 1])
        mine.update(**outcome, next_attempt_at=Now() + pause)
