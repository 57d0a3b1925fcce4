"""The stored changes of servers' statuses, and the uptime that follows from them."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from connector.models import StateChange
from connector.status.actions import UNCLAIMED
from connector.status.segments import Segment, segments
from connector.status.uptime import Uptime, uptime
from core import pruning
from tools.models import MCPTool, Status

RETENTION = timedelta(days=90)
_CHANGE = ("at", "status", "error__class")


def changes_of(server: MCPTool) -> QuerySet[StateChange]:
    """Returns the changes of a server's status, the latest first."""
    return StateChange.objects.filter(server=server).order_by("-at", "-id")


def uptime_of(server: MCPTool, within: timedelta, *, now: datetime) -> Uptime:
    """Returns the uptime in the time `within` before `now`."""
    changes, unclaimed = _changes(server, now - within)
    return uptime(changes, since=now - within, until=now, unclaimed=unclaimed)


def segments_of(server: MCPTool, within: timedelta, *, count: int, now: datetime) -> list[Segment]:
    """Returns the time `within` before `now` in `count` equal segments, the earliest first."""
    changes, unclaimed = _changes(server, now - within)
    return segments(changes, since=now - within, until=now, count=count, unclaimed=unclaimed)


def _changes(server: MCPTool, since: datetime) -> tuple[list[tuple[datetime, Status]], set[datetime]]:
    """Returns the changes since then, and when of them it was that nobody had claimed the server yet."""
    # The last change before tells the status at the beginning.
    before = changes_of(server).filter(at__lt=since).values_list(*_CHANGE).first()
    later = changes_of(server).filter(at__gte=since).reverse().values_list(*_CHANGE).iterator()
    known = [*([before] if before else []), *later]
    unclaimed = {at for at, status, reason in known if status == Status.STARTING and reason in UNCLAIMED}
    return [(at, Status(status)) for at, status, _ in known], unclaimed


def prune() -> None:
    """Deletes changes older than RETENTION, but for the last of each server: it is the status since then."""
    old = StateChange.objects.filter(at__lt=Now() - RETENTION)
    newer = old.filter(server=OuterRef("server"), at__gt=OuterRef("at"))
    pruning.delete(old.filter(Exists(newer)))
