"""The time at which a key was last used, to about a minute: more often no process writes the row."""

import time
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from apikeys.models import ApiKey
from core.background import BatchWriter
from core.database import in_thread_until_done

PRECISION = timedelta(minutes=1)
_NOTED_EVERY_S = 15
"""How often a process tries: it does not know when others wrote, so most of its tries change nothing."""

_noted: dict[int, float] = {}


def note(api_key_id: int) -> None:
    """Notes that the key is used now. A background task writes it: a caller pays for a dictionary look-up."""
    now = time.monotonic()
    if now - _noted.get(api_key_id, -_NOTED_EVERY_S) >= _NOTED_EVERY_S:
        _noted[api_key_id] = now
        writer.add(api_key_id)


@in_thread_until_done
def _write(api_key_ids: Iterable[int]) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lte=Now() - PRECISION)
    ApiKey.objects.filter(stale, pk__in=set(api_key_ids)).update(last_used_at=Now())


writer = BatchWriter("last use of keys", _write)
