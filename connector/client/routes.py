"""Routes to a server's sessions, from memory: the change feed empties it when servers or instances change."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from connector.models import Instance
from connector.states import SERVING
from core import feed
from core.database import DATABASE_ERRORS, in_thread
from core.feed import FeedCache
from core.message import Message
from tools.models import MCPTool, Status

NO_WORKER = "no_worker"
"""The class of the error of a server that starts once there is a worker: nobody should wait for that."""
READ_TIMEOUT_S = 0.5
"""For the database, where there is a route to fall back on."""
RECHECK_S = 0.5
"""Between two checks for a server that is awaited, where the change feed reports nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """A live instance: `socket` for callers on the host `host_id`, `address` (`host:port`) for all others.

    `asks_back`: the server is marked, or was seen, as one that asks its client back.
    """

    server_id: int
    slot: int
    fence: int
    host_id: str
    socket: str
    address: str
    asks_back: bool = False


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a server serves no calls now, for people. `is_starting`: it should serve them soon.

    `server` is its name, which `reason` does not have; empty if it is not registered.
    """

    reason: str
    is_starting: bool = False
    server: str = field(default="", compare=False)


async def find(server_id: int) -> tuple[Route, ...] | Unavailable:
    """Returns the live instances of a server, at least one, or why there is none.

    While the database is away it returns those that were found last: the worker checks the fence anyway.
    """
    if found := _cache.peek(server_id):
        return found
    last = _last_found.get(server_id)
    try:
        # Without a last route there is nothing to fall back on, so the read may take its time.
        async with asyncio.timeout(READ_TIMEOUT_S if last else None):
            found = await _cache.get(server_id)
            unavailable = None if found else await _unavailable.get(server_id)
    except DATABASE_ERRORS:
        return last or Unavailable(Message("The database cannot be reached."))
    if unavailable is not None:
        _last_found.pop(server_id, None)
        return unavailable
    _last_found[server_id] = found
    return found


async def availability(server_ids: Iterable[int], *, wait_s: float = 0.0) -> dict[int, Unavailable | None]:
    """Returns None for each server that serves calls now, and the reason for each that does not.

    For servers that are starting, or move to another worker, it waits up to `wait_s` seconds.
    """
    ids = list(dict.fromkeys(server_ids))
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        asked = [each for each in ids if not _cache.peek(each)]
        found = zip(asked, await asyncio.gather(*map(find, asked)), strict=True)
        missing = {server_id: each for server_id, each in found if isinstance(each, Unavailable)}
        left_s = until - loop.time()
        if left_s <= 0 or not any(each.is_starting for each in missing.values()):
            return {server_id: missing.get(server_id) for server_id in ids}
        await changed(within_s=left_s)


async def changed(*, within_s: float) -> None:
    """Returns when the change feed reports changed servers or instances, after RECHECK_S at the latest."""
    waiter = asyncio.get_running_loop().create_future()
    _waiters.add(waiter)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(within_s, RECHECK_S)):
                await waiter
    finally:
        _waiters.discard(waiter)


def forget() -> None:
    """Empties the memory: a worker has refused a route as out of date before the change feed reported it."""
    _cache.clear()
    _unavailable.clear()


@in_thread
def _load(server_id: int) -> tuple[Route, ...]:
    wanted = MCPTool.objects.wanted().filter(pk=server_id)
    live = Instance.objects.filter(server__in=wanted, phase__in=SERVING, expires_at__gt=Now())
    fields = ("server_id", "slot", "fence", "worker__host_id", "worker__socket", "worker__address")
    asks_back = Q(server__asks_back=True) | Q(server__asked_back_at__isnull=False)
    return tuple(
        Route(*row) for row in live.values_list(*fields, ExpressionWrapper(asks_back, BooleanField()))
    )


@in_thread
def _load_unavailable(server_id: int) -> Unavailable:
    shown = MCPTool.objects.present().only("name", "is_enabled", "status", "error")
    server = shown.filter(pk=server_id).first()
    if server is None:
        return Unavailable(Message("The server is not registered any more."))
    if not server.is_enabled:
        return Unavailable(Message("The server is stopped."), server=server.name)
    # The status of a server that nobody owns for a moment may still be that of its last owner.
    if server.status == Status.ERROR:
        return Unavailable(server.error_message or Message("The server failed."), server=server.name)
    has_worker = server.error is None or server.error["class"] != NO_WORKER
    why = server.error_message or Message("The server is starting.")
    return Unavailable(why, is_starting=has_worker, server=server.name)


def _wake_waiters() -> None:
    for waiter in _waiters:
        if not waiter.done():
            waiter.set_result(None)


# Beside the cache, because the cache is emptied by each change: this is the memory for an outage.
_last_found: dict[int, tuple[Route, ...]] = {}
_TABLES = ["tools_mcptool", "connector_instance"]
_cache: FeedCache[int, tuple[Route, ...]] = FeedCache(_load, _TABLES)
# For a second at most: no feed reports another error of a server, which has no other effect than its text.
_unavailable: FeedCache[int, Unavailable] = FeedCache(_load_unavailable, _TABLES, max_age_s=1.0)
_waiters: set[asyncio.Future[None]] = set()
# After the caches: a waiter must not find in them what was before the change.
feed.subscribe(_TABLES, _wake_waiters)
