"""The Celery tasks of the connector. They are hints: the database says what should run."""

import asyncio
from collections.abc import Awaitable, Callable

from celery import shared_task
from django.conf import settings

from connector.leases import store as leases
from connector.status import actions as status
from connector.status import history, outages
from connector.supervisor import bootstep
from core.actor import Actor
from tools import actions
from tools.models import MCPTool

BY = Actor.system("celery")


@shared_task
def start(server_id: int) -> None:
    """Enables a server; some worker starts it."""
    actions.start(MCPTool.objects.present().get(pk=server_id), by=BY)


@shared_task
def stop(server_id: int) -> None:
    """Disables a server; its worker stops it."""
    actions.stop(MCPTool.objects.present().get(pk=server_id), by=BY)


@shared_task
def restart(server_id: int) -> None:
    """Has a server's worker stop and start it."""
    actions.restart(MCPTool.objects.present().get(pk=server_id), by=BY)


@shared_task
def reconcile() -> None:
    """Makes every supervisor compare what runs with what should run now, not at its next poll."""
    status.ask_to_reconcile()


@shared_task
def echo() -> None:
    """Reports that a canary message, which this worker sent to its own queue, has been consumed."""
    bootstep.canary_received()


@shared_task
def check() -> None:
    """Has servers checked whose last check is old, and corrects the status of those that nobody owns."""
    _with_leases(lambda database: leases.forget_the_future(database, lease_s=settings.SUPERVISOR_LEASE_S))
    status.ask_for_checks()
    status.correct_unowned()


@shared_task
def announce_outages() -> None:
    """Tells webhooks of servers that went down or are back. Beat sends it every ten seconds."""
    outages.announce()


@shared_task
def tidy() -> None:
    """Deletes servers that were deleted and have ended, old history, and workers that are gone."""
    status.purge_deleted()
    history.prune()
    _with_leases(leases.prune_silent)


def _with_leases(work: Callable[[leases.Database], Awaitable[object]]) -> None:
    async def run() -> None:
        database = leases.Database()
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())
