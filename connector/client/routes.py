"""Where a server's sessions are now, from memory: the change feed tells when that changes."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models.functions import Now

from connector.models import Instance
from connector.states import SERVING
from core.database import DATABASE_ERRORS, in_thread
from core.feed import FeedCache
from tools.models import MCPTool, Status

PATIENCE_S = 0.5
"""With a database that may be away, where there is a route to fall back on."""


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
    """The live instances of a server, at least one, or why there is none.

    While the database is away they are those that were known last: the fence tells whether they still hold.
    """
    known = _known.get(server_id)
    try:
        async with asyncio.timeout(PATIENCE_S if known else None):
            found = await _cache.get(server_id)
    except DATABASE_ERRORS:
        return known or Unavailable("The database cannot be reached.")
    _known.pop(server_id, None)
    if isinstance(found, tuple):
        _known[server_id] = found
    return found


async def availability(server_ids: Iterable[int]) -> dict[int, Unavailable | None]:
    """None for a server that serves calls now."""
    ids = list(dict.fromkeys(server_ids))
    found = await asyncio.gather(*map(find, ids))
    return {
        key: each if isinstance(each, Unavailable) else None for key, each in zip(ids, found, strict=True)
    }


def forget() -> None:
    """Read anew: what is known has turned out to be out of date."""
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


_known: dict[int, tuple[Route, ...]] = {}
_cache: FeedCache[int, tuple[Route, ...] | Unavailable] = FeedCache(
    _load, ["tools_mcptool", "connector_instance"]
)
