"""What is stored about servers that no worker owns, and requests to the workers. An owner stores the rest."""

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from connector.host import timestamp
from connector.models import Instance
from connector.notifications import CHECK
from connector.states import SERVING, derive_status
from connector.status import workers
from core.feed import CHANNEL
from tools import actions
from tools.models import MCPTool, Status

OVERDUE = 2.0
"""After this many periods of health checks without one, a supervisor is notified."""
NO_WORKER = {
    "stage": "start",
    "class": "no_worker",
    "message": "No worker is running that could own this server.",
    "remedy": "Start a Celery worker on the queue `mcp`.",
}


def ask_to_reconcile() -> None:
    """Makes every supervisor compare what runs with what should, as a changed server would."""
    _notify(MCPTool._meta.db_table)


def ask_for_checks() -> None:
    """Has every supervisor check the servers that it has not checked lately, where there is one.

    Supervisors check theirs by themselves: as a rule nobody needs to be notified.
    """
    overdue = timedelta(seconds=OVERDUE * settings.SUPERVISOR_HEALTH_S)
    live = Instance.objects.filter(expires_at__gt=Now(), phase__in=SERVING)
    if live.filter(checked_at__lt=Now() - overdue).exists():
        _notify(CHECK)


def ask_for_check(server_id: int) -> None:
    """Makes the owner of this server check it, and list its tools again, now."""
    _notify(f"{CHECK}:{server_id}")


@transaction.atomic
def correct_unowned() -> None:
    """Stores the status of servers without a live instance."""
    live = Instance.objects.filter(server=OuterRef("pk"), expires_at__gt=Now())
    # Skipped where locked: somebody changes the server just now, and the next check comes soon.
    unowned = MCPTool.objects.filter(~Exists(live)).select_for_update(skip_locked=True)
    has_workers = bool(workers.nodes_alive())
    for server in unowned:
        _correct(server, has_workers=has_workers)


def purge_deleted() -> None:
    """Deletes the rows of servers that are marked as deleted and that nobody runs any more."""
    live = Instance.objects.filter(server=OuterRef("pk"), expires_at__gt=Now())
    actions.purge(MCPTool.objects.filter(~Exists(live), status=Status.STOPPED))


def _correct(server: MCPTool, *, has_workers: bool) -> None:
    wanted = server.is_enabled and server.deleted_at is None
    status, error = derive_status(wanted=wanted, replicas=server.replicas, phases=[]), None
    if wanted and not has_workers:
        status, error = Status.ERROR, {**NO_WORKER, "at": timestamp()}
    if status != server.status:
        MCPTool.objects.filter(pk=server.pk).update(status=status, error=error)
        # The trigger fires for columns of intent alone, and web processes cache why a server is unavailable.
        _notify(MCPTool._meta.db_table)


def _notify(payload: str) -> None:
    # A function call, because the statement NOTIFY takes no parameters.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
