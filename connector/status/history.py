"""The stored changes of servers' statuses, and the uptime that follows from them."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from connector.models import StateChange
from connector.status.actions import UNCLAIMED
from connector.status.uptime import Uptime, uptime
from tools.models import MCPTool, Status

RETENTION = timedelta(days=90)
_CHANGE = ("at", "status", "error__class")


def changes_of(server: MCPTool) -> QuerySet[StateChange]:
    """Returns the changes of a server's status, the latest first."""
    return StateChange.objects.filter(server=server).order_by("-at", "-id")


def uptime_of(server: MCPTool, within: timedelta, *, now: datetime) -> Uptime:
    """Returns the uptime in the time `within` before `now`."""
    since = now - within
    # The last change before tells the status at the beginning.
    before = changes_of(server).filter(at__lt=since).values_list(*_CHANGE).first()
    later = changes_of(server).filter(at__gte=since).reverse().values_list(*_CHANGE).iterator()
    known = [*([before] if before else []), *later]
    unclaimed = {at for at, status, reason in known if status == Status.STARTING and reason in UNCLAIMED}
    changes = [(at, Status(status)) for at, status, _ in known]
    return uptime(changes, since=since, until=now, unclaimed=unclaimed)


def prune() -> None:
    """Deletes changes older than RETENTION, but for the last of each server: it is the status since then."""
    old = StateChange.objects.filter(at__lt=Now() - RETENTION)
    newer = old.filter(server=OuterRef("server"), at__gt=OuterRef("at"))
    old.filter(Exists(newer)).delete()
