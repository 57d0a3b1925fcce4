"""Tells webhooks of keys that expire soon."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apikeys import outbox
from apikeys.models import ApiKey, EventType

TOLD_DAYS = (14, 3, 1)
"""Days before the expiry, of which each is told once."""


def announce() -> None:
    """Announces keys that came within another one of TOLD_DAYS. Call it every some minutes."""
    now = timezone.now()
    soon = now + timedelta(days=max(TOLD_DAYS))
    for api_key in ApiKey.objects.usable().filter(expires_at__lte=soon):
        _announce(api_key, now=now)


@transaction.atomic
def _announce(api_key: ApiKey, *, now: datetime) -> None:
    expires_at = api_key.expires_at or now
    days = min(each for each in TOLD_DAYS if expires_at <= now + timedelta(days=each))
    untold = Q(expiry_told_days=None) | Q(expiry_told_days__gt=days)
    # Conditional, for somebody may do the same, or put the expiry off, just now.
    rows = ApiKey.objects.filter(untold, pk=api_key.pk, expires_at=expires_at)
    if rows.update(expiry_told_days=days):
        outbox.announce(
            EventType.KEY_EXPIRING, id=api_key.pk, name=api_key.name, days=days, expires_at=expires_at
        )
