"""The truth about servers that no worker speaks for; all else is for their owners to say."""

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from connector.host import timestamp
from connector.models import Instance
from connector.notifications import CHECK
from connector.states import derive_status
from connector.status import workers
from core.feed import CHANNEL
from tools import actions
from tools.models import MCPTool, Status

NO_WORKER = {
    "stage": "start",
    "class": "no_worker",
    "message": "No worker is running that could own this server.",
    "remedy": "Start a Celery worker on the queue `mcp`.",
}


def ask_to_reconcile() -> None:
    """Notifies every supervisor as a change of a server would."""
    _tell(MCPTool._meta.db_table)


def ask_for_checks() -> None:
    """Every supervisor checks what it has not checked lately."""
    _tell(CHECK)


def ask_for_check(server_id: int) -> None:
    """Whoever runs this server lists its tools anew, now."""
    _tell(f"{CHECK}:{server_id}")


@transaction.atomic
def correct_the_unowned() -> None:
    """Write the status of servers without a live instance."""
    live = Instance.objects.filter(server=OuterRef("pk"), expires_at__gt=Now())
    unowned = MCPTool.objects.filter(~Exists(live)).select_for_update(skip_locked=True)
    someone_works = bool(workers.nodes_alive())
    for server in unowned:
        _correct(server, someone_works=someone_works)


def purge_the_deleted() -> None:
    """Forget servers that were deleted and that nobody runs any more."""
    live = Instance.objects.filter(server=OuterRef("pk"), expires_at__gt=Now())
    actions.purge(MCPTool.objects.filter(~Exists(live), status=Status.STOPPED))


def _correct(server: MCPTool, *, someone_works: bool) -> None:
    wanted = server.is_enabled and server.deleted_at is None
    status, error = derive_status(wanted=wanted, replicas=server.replicas, phases=[]), None
    if wanted and not someone_works:
        status, error = Status.ERROR, {**NO_WORKER, "at": timestamp()}
    if status != server.status:
        MCPTool.objects.filter(pk=server.pk).update(status=status, error=error)
        ask_to_reconcile()


def _tell(what: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, what])
