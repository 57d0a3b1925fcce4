"""Which workers that own MCP servers are alive, by their heartbeats in the database."""

from datetime import timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from connector.models import Worker


def nodes_alive() -> list[str]:
    """Names of the nodes seen within a lease and not draining."""
    seen = Worker.objects.filter(seen_at__gt=Now() - timedelta(seconds=settings.SUPERVISOR_LEASE_S))
    return sorted(seen.values_list("node", flat=True))


async def workers_alive() -> list[str]:
    """As `nodes_alive`, for the probes. Raises django.db.Error when the database is away."""
    return await sync_to_async(_read, thread_sensitive=False)()


def _read() -> list[str]:
    try:
        return nodes_alive()
    finally:
        connection.close()
