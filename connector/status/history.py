"""What became of servers: the stored changes of their status."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from connector.models import StateChange
from connector.status.uptime import Uptime, uptime
from tools.models import MCPTool, Status

KEPT = timedelta(days=90)


def of(server: MCPTool) -> QuerySet[StateChange]:
    """The latest first."""
    return StateChange.objects.filter(server=server).order_by("-at", "-id")


def uptime_of(server: MCPTool, within: timedelta, *, now: datetime) -> Uptime:
    since = now - within
    before = of(server).filter(at__lt=since).values_list("at", "status").first()
    later = of(server).filter(at__gte=since).reverse().values_list("at", "status").iterator()
    known = [*([before] if before else []), *later]
    return uptime([(at, Status(status)) for at, status in known], since=since, until=now)


def forget_the_old() -> None:
    """But for the last change before: it tells what was at the beginning."""
    old = StateChange.objects.filter(at__lt=Now() - KEPT)
    newer = old.filter(server=OuterRef("server"), at__gt=OuterRef("at"))
    old.filter(Exists(newer)).delete()
