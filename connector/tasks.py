"""The tasks of the queue `mcp`. They are hints: what should run stands in the database."""

from celery import shared_task

from connector.status import actions as status
from connector.status import history
from connector.supervisor import bootstep
from core.actor import Actor
from tools import actions
from tools.models import MCPTool

BY = Actor.system("celery")


@shared_task
def start(server_id: int) -> None:
    actions.start(MCPTool.objects.present().get(pk=server_id), by=BY)


@shared_task
def stop(server_id: int) -> None:
    actions.stop(MCPTool.objects.present().get(pk=server_id), by=BY)


@shared_task
def restart(server_id: int) -> None:
    actions.restart(MCPTool.objects.present().get(pk=server_id), by=BY)


@shared_task
def reconcile() -> None:
    """Every supervisor compares what runs with what should run now, not at its next poll."""
    status.ask_to_reconcile()


@shared_task
def echo() -> None:
    """A worker's message to itself, in its own queue: it still consumes."""
    bootstep.echo()


@shared_task
def check() -> None:
    """Have servers checked whose last check is old, and say the truth of those that nobody owns."""
    status.ask_for_checks()
    status.correct_the_unowned()


@shared_task
def tidy() -> None:
    """Forget what nobody needs any more."""
    status.purge_the_deleted()
    history.forget_the_old()
