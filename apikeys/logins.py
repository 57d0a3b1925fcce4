"""Logins to the console that fail are in the audit log. django-axes counts them, and locks.

Anybody can fail a login: an address adds at most MOST_FAILURES entries within the time of a lock.
"""

from typing import Any

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.utils import timezone

from apikeys import audit
from apikeys.models import AuditEntry
from core.actor import Actor

FAILED, LOCKED = "login failed", "login locked"
MOST_FAILURES = 100


@receiver(user_login_failed)
def record_failure(credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    """Records a failed login, but not one that the lock refused: its password was not even compared."""
    is_refused = getattr(request, "axes_locked_out", False) and request.axes_failures_since_start is None
    if request is not None and not is_refused:
        _record(FAILED, str(credentials.get("username") or ""), request)


@receiver(user_locked_out)
def record_lock(request: Any, username: str | None, **_: Any) -> None:
    """Records the failure that locks. django-axes sends this signal for each refused login, too."""
    if request.axes_failures_since_start is not None:
        _record(LOCKED, username or "", request)


def _record(action: str, username: str, request: Any) -> None:
    address = request.META.get("REMOTE_ADDR", "")
    recent = AuditEntry.objects.filter(at__gte=timezone.now() - settings.AXES_COOLOFF_TIME)
    if recent.filter(address=address, action__in=(FAILED, LOCKED)).count() >= MOST_FAILURES:
        return
    users = get_user_model()._default_manager
    user_id = users.filter(username=username).values_list("pk", flat=True).first()
    by = Actor("visitor", address or "?", None, request.headers.get("x-request-id", ""), address)
    audit.happened(action, by=by, kind="user", object_id=user_id or 0, name=username)
