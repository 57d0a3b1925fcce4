"""Routes to a server's sessions, from memory: the change feed empties it when servers or instances change."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models.functions import Now

from connector.models import Instance
from connector.states import SERVING
from core.database import DATABASE_ERRORS, in_thread
from core.feed import FeedCache
from tools.models import MCPTool, Status

READ_TIMEOUT_S = 0.5
"""For the database, where there is a route to fall back on."""


@dataclass(frozen=True, slots=True)
class Route:
    """A live instance: `socket` for callers on the host `host_id`, `address` (`host:port`) for all others."""

    server_id: int
    slot: int
    fence: int
    host_id: str
    socket: str
    address: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a server serves no calls now, for people."""

    reason: str


async def find(server_id: int) -> tuple[Route, ...] | Unavailable:
    """Returns the live instances of a server, at least one, or why there is none.

    While the database is away it returns those that were found last: the worker checks the fence anyway.
    """
    last = _last_found.get(server_id)
    try:
        # Without a last route there is nothing to fall back on, so the read may take its time.
        async with asyncio.timeout(READ_TIMEOUT_S if last else None):
            found = await _cache.get(server_id)
    except DATABASE_ERRORS:
        return last or Unavailable("The database cannot be reached.")
    _last_found.pop(server_id, None)
    if isinstance(found, tuple):
        _last_found[server_id] = found
    return found


async def availability(server_ids: Iterable[int]) -> dict[int, Unavailable | None]:
    """Returns None for each server that serves calls now, and the reason for each that does not."""
    ids = list(dict.fromkeys(server_ids))
    found = await asyncio.gather(*map(find, ids))
    return {
        key: each if isinstance(each, Unavailable) else None for key, each in zip(ids, found, strict=True)
    }


def forget() -> None:
    """Empties the memory: a worker has refused a route as out of date before the change feed reported it."""
    _cache.clear()


@in_thread
def _load(server_id: int) -> tuple[Route, ...] | Unavailable:
    return _live(server_id) or Unavailable(_reason(server_id))


def _live(server_id: int) -> tuple[Route, ...]:
    wanted = MCPTool.objects.wanted().filter(pk=server_id)
    live = Instance.objects.filter(server__in=wanted, phase__in=SERVING, expires_at__gt=Now())
    fields = ("server_id", "slot", "fence", "worker__host_id", "worker__socket", "worker__address")
    return tuple(Route(*row) for row in live.values_list(*fields))


def _reason(server_id: int) -> str:
    server = MCPTool.objects.present().filter(pk=server_id).first()
    if server is None:
        return "The server is not registered any more."
    if not server.is_enabled:
        return "The server is stopped."
    return server.error_message or (
        "The server failed." if server.status == Status.ERROR else "The server is starting."
    )


# Beside the cache, because the cache is emptied by each change: this is the memory for an outage.
_last_found: dict[int, tuple[Route, ...]] = {}
_cache: FeedCache[int, tuple[Route, ...] | Unavailable] = FeedCache(
    _load, ["tools_mcptool", "connector_instance"]
)
