"""Tells webhooks of servers that went down and of those that are back, once each. Short restarts are none."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from apikeys import outbox
from apikeys.models import EventType
from connector.models import Outage, StateChange
from connector.status.uptime import DOWN, UP
from tools.models import MCPTool, Status

SETTLED = timedelta(seconds=15)
"""How long a server has to be down before anybody is told: after a crash it is back within seconds."""


def announce() -> None:
    """Announces what has changed since the last call. Call it every some seconds."""
    for server in _newly_down():
        _announce_down(server)
    for outage in Outage.objects.select_related("server").exclude(_is_down("server__")):
        _announce_end(outage)


def _newly_down() -> QuerySet[MCPTool]:
    """Returns servers that served calls, are to serve them, and have not for SETTLED, which is `since` when.

    One that was never up since it was last stopped has not gone down: its first start fails, which its own
    page says.
    """
    changes = StateChange.objects.filter(server=OuterRef("pk"))
    latest = changes.order_by("-at", "-id").values("at")
    first_after = changes.filter(at__gt=OuterRef("up_at")).order_by("at", "id").values("at")
    return (
        MCPTool.objects.without_vectors()
        .filter(_is_down(), outage=None)
        .annotate(
            up_at=Subquery(latest.filter(status__in=UP)[:1]),
            stopped_at=Subquery(latest.filter(status=Status.STOPPED)[:1]),
        )
        .filter(Q(stopped_at=None) | Q(stopped_at__lt=F("up_at")), up_at__isnull=False)
        .annotate(since=Subquery(first_after[:1]))
        .filter(since__lt=Now() - SETTLED)
    )


def _is_down(server: str = "") -> Q:
    wanted = {f"{server}is_enabled": True, f"{server}deleted_at": None, f"{server}status__in": DOWN}
    return Q(**wanted)


@transaction.atomic
def _announce_down(server: Any) -> None:
    _, is_new = Outage.objects.get_or_create(server=server, defaults={"since": server.since})
    if is_new:
        reason = str((server.error or {}).get("class", ""))
        outbox.announce(
            EventType.SERVER_DOWN, id=server.pk, name=server.name, since=server.since, reason=reason
        )


@transaction.atomic
def _announce_end(outage: Outage) -> None:
    """Announces that a server is back, unless it was stopped or deleted."""
    server = outage.server
    is_ended, _ = Outage.objects.filter(pk=outage.pk).delete()
    if is_ended and server.is_enabled and server.deleted_at is None and server.status in UP:
        outbox.announce(EventType.SERVER_UP, id=server.pk, name=server.name, since=outage.since)
