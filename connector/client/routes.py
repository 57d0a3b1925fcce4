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
            reason = "" if found else await _reasons.get(server_id)
    except DATABASE_ERRORS:
        return last or Unavailable("The database cannot be reached.")
    if found:
        _last_found[server_id] = found
        return found
    _last_found.pop(server_id, None)
    return Unavailable(reason)


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
    _reasons.clear()


@in_thread
def _load(server_id: int) -> tuple[Route, ...]:
    wanted = MCPTool.objects.wanted().filter(pk=server_id)
    live = Instance.objects.filter(server__in=wanted, phase__in=SERVING, expires_at__gt=Now())
    fields = ("server_id", "slot", "fence", "worker__host_id", "worker__socket", "worker__address")
    return tuple(Route(*row) for row in live.values_list(*fields))


@in_thread
def _load_reason(server_id: int) -> str:
    shown = MCPTool.objects.present().only("is_enabled", "status", "error")
    server = shown.filter(pk=server_id).first()
    if server is None:
        return "The server is not registered any more."
    if not server.is_enabled:
        return "The server is stopped."
    return server.error_message or (
        "The server failed." if server.status == Status.ERROR else "The server is starting."
    )


# Beside the cache, because the cache is emptied by each change: this is the memory for an outage.
_last_found: dict[int, tuple[Route, ...]] = {}
_TABLES = ["tools_mcptool", "connector_instance"]
_cache: FeedCache[int, tuple[Route, ...]] = FeedCache(_load, _TABLES)
# For a second at most: no feed reports another error of a server, which has no other effect than its text.
_reasons: FeedCache[int, str] = FeedCache(_load_reason, _TABLES, max_age_s=1.0)
