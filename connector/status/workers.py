"""The workers that can own MCP servers and are alive, by their heartbeats in the database."""

from connector.models import Worker
from core.database import in_thread


def nodes_alive() -> list[str]:
    """Returns the names of the nodes that sent a heartbeat within a lease and are not draining, sorted."""
    return sorted(Worker.objects.alive().values_list("node", flat=True))


workers_alive = in_thread(nodes_alive)
"""The same for coroutines: the health probes. Raises django.db.Error when the database is away."""
