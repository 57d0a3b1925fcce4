"""Updates of a server's resources, wherever it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from connector.client import routes, transport
from connector.client.routes import Route, Unavailable
from connector.errors import CallFailed

_MOVED = frozenset({"stale_fence", "session_lost", "server_restarting", "server_unavailable"})
RETRY_S = 0.5
AWAY_RETRY_S = 5.0
"""Between two attempts while the server is stopped, or has failed."""
AWAY_LIMIT_S = 300.0


async def updates(
    server_id: int, uri: str, on_begun: Callable[[], object] = lambda: None
) -> AsyncIterator[None]:
    """Yields whenever the server reports the resource, or a part of it, as updated, until it is closed.

    `on_begun` is called when the server has accepted the subscription, at each worker anew.

    Updates while nobody waits for the next one count as one. The subscription follows the server to other
    workers, and then yields once: something may have changed meanwhile. Raises ServerError where the server
    refuses it, and CallFailed; `server_unavailable` where the server is away for longer than AWAY_LIMIT_S.
    """
    updated = asyncio.Event()
    following = asyncio.create_task(_follow(server_id, _Following(uri, updated, on_begun)))
    following.add_done_callback(lambda _: updated.set())
    try:
        while True:
            await updated.wait()
            if following.done():
                following.result()
            updated.clear()
            yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow(server_id: int, following: "_Following") -> None:
    while True:
        route = await routes.find(server_id)
        if isinstance(route, Unavailable):
            await following.wait(route)
            continue
        try:
            await following.follow(route[0])
        except CallFailed as failure:
            if failure.code not in _MOVED:
                raise
        # The change feed may not have reported yet that the server has moved.
        routes.forget()
        await asyncio.sleep(RETRY_S)


class _Following:
    def __init__(self, uri: str, updated: asyncio.Event, on_begun: Callable[[], object]) -> None:
        self._uri = uri
        self._updated = updated
        self._on_begun = on_begun
        self._has_subscribed = False
        self._last_seen = _now()

    async def wait(self, away: Unavailable) -> None:
        """Raises CallFailed when the server has been away for too long."""
        if _now() - self._last_seen > AWAY_LIMIT_S:
            raise CallFailed("server_unavailable", away.reason)
        await (routes.changed(within_s=RETRY_S) if away.is_starting else asyncio.sleep(AWAY_RETRY_S))

    async def follow(self, route: Route) -> None:
        """Raises what `transport.send` raises: only an error ends it."""
        target = {"server_id": route.server_id, "slot": route.slot, "fence": route.fence}
        await transport.follow("subscription", {**target, "uri": self._uri}, route, self._heed)

    def _heed(self, message: dict[str, Any]) -> None:
        self._last_seen = _now()
        if message.get("updated") or (message.get("subscribed") and self._has_subscribed):
            self._updated.set()
        if message.get("subscribed"):
            self._on_begun()
        self._has_subscribed = True


def _now() -> float:
    return asyncio.get_running_loop().time()
