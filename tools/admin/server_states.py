"""How a server does, for the console: its state, its copies, its last check. A script asks for it, too."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from core.admin.pills import Tone, pill
from core.admin.text import shown
from core.admin.times import ago, exact
from core.message import said
from tools.models import MCPTool, Status

_SERVING = {"ready", "degraded"}
"""Phases of an instance that serves calls. Its model is in `connector`, which this app must not import."""
_LOOKS: dict[str, tuple[str, Tone]] = {
    Status.RUNNING: ("check_circle", "success"),
    Status.DEGRADED: ("warning", "warning"),
    Status.STARTING: ("hourglass_top", "info"),
    Status.ERROR: ("error", "danger"),
    Status.STOPPED: ("stop_circle", "neutral"),
}


@dataclass(frozen=True, slots=True)
class State:
    """A server's state: a word, its icon and its colour, and what is told on hover."""

    word: str
    icon: str
    tone: Tone
    title: str

    def as_pill(self) -> SafeString:
        return pill(self.word, self.icon, self.tone, title=self.title)


def with_instances(servers: QuerySet[MCPTool], *, with_output: bool = False) -> QuerySet[MCPTool]:
    """Prefetches the copies of each server with their workers, without what they wrote on standard error."""
    instances: Any = MCPTool._meta.get_field("instances").related_model
    rows = instances.objects.select_related("worker").order_by("slot")
    return servers.prefetch_related(Prefetch("instances", rows if with_output else rows.defer("stderr_tail")))


def state_of(server: MCPTool) -> State:
    icon, tone = _LOOKS[server.status]
    checked = _("Last check: %(time)s.") % {"time": ago(last_check(server))}
    title = f"{shown(said(server.error_message), most=300)} {checked}" if server.error_message else checked
    return State(str(Status(server.status).label), icon, tone, title)


def instances_of(server: MCPTool) -> list[Any]:
    rows: Any = server
    return list(rows.instances.all())


def serving(server: MCPTool) -> str:
    """Returns how many copies serve calls, of how many there should be."""
    count = sum(instance.phase in _SERVING for instance in instances_of(server))
    return _("%(serving)d of %(wanted)d") % {"serving": count, "wanted": server.replicas}


def last_check(server: MCPTool) -> datetime | None:
    checks = [instance.checked_at for instance in instances_of(server) if instance.checked_at]
    return max(checks, default=server.last_healthy_at)


def live(ids: Iterable[int]) -> dict[str, Any]:
    """Returns what moves of each server, by its id, for the script that keeps a page up to date."""
    servers = MCPTool.objects.present().filter(pk__in=ids).order_by().with_function_count()
    instances: Any = MCPTool._meta.get_field("instances").related_model
    rows = instances.objects.only("server", "phase", "checked_at")
    shown = servers.only("status", "error", "last_healthy_at", "replicas")
    return {str(server.pk): _live(server) for server in shown.prefetch_related(Prefetch("instances", rows))}


def _live(server: Any) -> dict[str, Any]:
    state, checked = state_of(server), last_check(server)
    return {
        "state": {"word": state.word, "icon": state.icon, "tone": state.tone, "title": state.title},
        "tools": str(server.function_count),
        "instances": serving(server),
        "checked": {"text": ago(checked), "title": exact(checked)},
    }
