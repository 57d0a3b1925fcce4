"""Deletes what is over: expired state, and what is older than the settings *_RETENTION_DAYS allow."""

from datetime import datetime, timedelta
from importlib import import_module

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from apikeys.models import AuditEntry, OutboxEvent
from assistants.actions import approval_ends
from assistants.models import Approval, ApprovalState, Conversation, Expiring, Run, RunStatus, ToolCall
from core import pruning


def delete_expired() -> None:
    """Deletes rows that have expired."""
    now = timezone.now()
    for model in Expiring.__subclasses__():
        pruning.delete(model._default_manager.filter(expires_at__lte=now))
    conversations = Conversation.objects.filter(messages_expire_at__lte=now)
    pruning.empty(conversations, ("messages", "messages_expire_at"))
    approval_ends.forget_results()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()  # of staff: Django leaves that to us


def delete_old() -> None:
    """Deletes runs with calls, approvals, sessions, audit entries, and events of webhooks when they are old.

    The texts of runs and calls may go before their rows do.
    """
    if since := _kept_since(settings.BODY_RETENTION_DAYS):
        _delete_bodies(since)
    if since := _kept_since(settings.RUN_RETENTION_DAYS):
        pruning.delete(Run.objects.filter(started_at__lt=since).exclude(status=RunStatus.RUNNING))
        # A stored history may be kept for longer than runs are: it goes by its own time.
        pruning.delete(Conversation.objects.filter(last_run_at__lt=since, messages=None, runs=None))
    if since := _kept_since(settings.APPROVAL_RETENTION_DAYS):
        pruning.delete(Approval.objects.filter(state__in=ApprovalState.final(), created_at__lt=since))
    if since := _kept_since(settings.AUDIT_RETENTION_DAYS):
        # Which key made which stays on the record: keys that belong together may not decide for one another.
        made = Q(actor_kind="key", object_kind="API key", action__in=["created", "rotated"])
        pruning.delete(AuditEntry.objects.filter(at__lt=since).exclude(made))
    if since := _kept_since(settings.WEBHOOK_RETENTION_DAYS):
        pruning.delete(OutboxEvent.objects.filter(created_at__lt=since))


def _delete_bodies(since: datetime) -> None:
    runs, calls = Run.objects.exclude(status=RunStatus.RUNNING), ToolCall.objects.all()
    for rows, bodies in ((runs, Run.BODIES), (calls, ToolCall.BODIES)):
        # The condition of the indexes run_bodies and toolcall_bodies.
        is_there = ~Q(**dict.fromkeys(bodies))
        pruning.empty(rows.filter(is_there, started_at__lt=since), bodies)


def _kept_since(days: int) -> datetime | None:
    """Returns the time before which rows are deleted. 0 days mean that they stay for ever: then None."""
    return timezone.now() - timedelta(days=days) if days else None
