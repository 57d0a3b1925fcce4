"""What is stored about servers that no worker owns, and requests to the workers. An owner stores the rest."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from connector.client import routes
from connector.host import timestamp
from connector.models import Instance
from connector.states import SERVING, derive_status
from connector.status import workers
from core import feed
from tools import actions
from tools.models import MCPTool, Status

OVERDUE = 2.0
"""After this many periods of health checks without one, a supervisor is notified."""
NO_WORKER = {
    "stage": "start",
    "class": routes.NO_WORKER,
    "message": gettext_noop("No MCP worker is running: the server starts as soon as there is one."),
    "remedy": gettext_noop("Start a Celery worker on the queue `mcp`."),
}
UNCLAIMED_YET = {
    "stage": "start",
    "class": "unclaimed",
    "message": gettext_noop("The server waits for an MCP worker to take it."),
    "remedy": gettext_noop("Nothing: it starts in a moment."),
}
WORKER_LOST = {
    "stage": "start",
    "class": "worker_lost",
    "message": gettext_noop("The server's worker is gone: it waits for another MCP worker to take it."),
    "remedy": gettext_noop("Nothing: it starts in a moment."),
}
UNCLAIMED = frozenset({UNCLAIMED_YET["class"], NO_WORKER["class"]})
"""Classes of the errors of a server that is to run and that nobody has claimed yet."""


def ask_to_reconcile() -> None:
    """Makes every supervisor compare what runs with what should, as a changed server would."""
    feed.notify(MCPTool._meta.db_table)


def ask_for_checks() -> None:
    """Has every supervisor check the servers that it has not checked lately, where there is one.

    Supervisors check theirs by themselves: as a rule nobody needs to be notified.
    """
    overdue = timedelta(seconds=OVERDUE * settings.SUPERVISOR_HEALTH_S)
    live = Instance.objects.filter(expires_at__gt=Now(), phase__in=SERVING)
    if live.filter(checked_at__lt=Now() - overdue).exists():
        feed.notify(actions.CHECK)


@transaction.atomic
def correct_unowned() -> None:
    """Stores the status of servers without a live instance."""
    live = _live(OuterRef("pk"))
    # Skipped where locked: somebody changes the server just now, and the next check comes soon.
    unowned = MCPTool.objects.filter(~Exists(live)).select_for_update(skip_locked=True)
    has_workers = bool(workers.nodes_alive())
    for server in unowned:
        _correct(server, has_workers=has_workers)


def settle(server: MCPTool) -> None:
    """Sets the status and the error of a server that nobody owns; nothing is stored."""
    if not _live(server.pk).exists():
        server.status, server.error = _unowned(server, has_workers=bool(workers.nodes_alive()))


def purge_deleted() -> None:
    """Deletes the rows of servers that are marked as deleted and that nobody runs any more."""
    live = _live(OuterRef("pk"))
    actions.purge(MCPTool.objects.filter(~Exists(live), status=Status.STOPPED))


def _live(server: Any) -> QuerySet[Instance]:
    return Instance.objects.filter(server=server, expires_at__gt=Now())


def _correct(server: MCPTool, *, has_workers: bool) -> None:
    status, error = _unowned(server, has_workers=has_workers)
    if (status, _class(error)) != (server.status, _class(server.error)):
        MCPTool.objects.filter(pk=server.pk).update(status=status, error=error)
        # The trigger fires for columns of intent alone, and web processes cache why a server is unavailable.
        feed.notify(MCPTool._meta.db_table)


def _unowned(server: MCPTool, *, has_workers: bool) -> tuple[Status, dict[str, Any] | None]:
    """Returns the status and the error of a server that nobody owns, from those that it had until now."""
    wanted = server.is_enabled and server.deleted_at is None
    status = derive_status(wanted=wanted, replicas=server.replicas, phases=[])
    if not wanted:
        return status, None
    # Nobody has claimed it since it was wanted. A server that a worker had, and that has none now, failed.
    is_new = server.status == Status.STOPPED or (
        server.status == Status.STARTING and _class(server.error) in UNCLAIMED
    )
    if has_workers:
        return status, {**(UNCLAIMED_YET if is_new else WORKER_LOST), "at": timestamp()}
    return status if is_new else Status.ERROR, {**NO_WORKER, "at": timestamp()}


def _class(error: Any) -> str:
    return str(error["class"]) if error else ""
