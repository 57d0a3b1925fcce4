"""Carries an order to the worker that holds the server's session, and its answer back, over HTTP."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

import aiohttp
import orjson

from connector.client import routes
from connector.client.in_flight import following
from connector.client.routes import Route, Unavailable
from connector.errors import CallFailed
from connector.host import host_id
from connector.wire.lines import LineSplitter
from connector.wire.results import Progress
from connector.wire.token import TOKEN_HEADER, data_plane_token

CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Order:
    """`path` and `body` are for the data plane, `name` is for people; `until` is by the loop's clock."""

    server_id: int
    path: str
    body: dict[str, Any]
    name: str
    until: float
    on_progress: Callable[[Progress], None] | None = None

    def addressed(self, route: Route) -> bytes:
        left = self.until - asyncio.get_running_loop().time()
        where = {"server_id": self.server_id, "slot": route.slot, "fence": route.fence}
        return orjson.dumps({**self.body, **where, "timeout_s": max(left, 0.0)})


async def deliver(order: Order) -> dict[str, Any]:
    """The answer's `result`. Raises CallFailed; it is `session_lost` when the server may have begun."""
    try:
        return await _ask(await _route(order.server_id), order)
    except CallFailed as failure:
        if failure.code != "stale_fence":
            raise
    routes.forget()  # refused before anything ran: it may go, once, to where the server is now
    try:
        return await _ask(await _route(order.server_id), order)
    except CallFailed as failure:
        if failure.code != "stale_fence":
            raise
        raise CallFailed("server_restarting", "The server is moving to another worker.") from failure


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Close this loop's connections to workers at the end."""
    try:
        yield
    finally:
        for session in _sessions.pop(asyncio.get_running_loop(), {}).values():
            await session.close()


async def _route(server_id: int) -> Route:
    found = await routes.find(server_id)
    if isinstance(found, Unavailable):
        raise CallFailed("server_unavailable", found.reason)
    return found[0] if len(found) == 1 else random.choice(found)  # noqa: S311 - spreading load


async def _ask(route: Route, order: Order) -> dict[str, Any]:
    session, base = _way(route)
    try:
        async with (
            following(route),
            session.post(f"{base}{order.path}", data=order.addressed(route)) as response,
        ):
            response.raise_for_status()
            return await _read(response, order)
    except aiohttp.ClientConnectorError as error:  # nothing was sent
        raise CallFailed("stale_fence", "The worker cannot be reached.") from error
    except aiohttp.ClientError as error:
        raise CallFailed("session_lost", "The worker ended during the call.") from error


async def _read(response: aiohttp.ClientResponse, order: Order) -> dict[str, Any]:
    splitter = LineSplitter(sys.maxsize)
    async for chunk in response.content.iter_any():
        for line in splitter.feed(chunk):
            answer = _interpret(orjson.loads(cast(bytes, line)), order)
            if answer is not None:
                return answer
    raise CallFailed("session_lost", "The worker ended during the call.")


def _interpret(message: dict[str, Any], order: Order) -> dict[str, Any] | None:
    if "error" in message:
        raise CallFailed(**message["error"])
    if "result" in message:
        result: dict[str, Any] = message["result"]
        return result
    if order.on_progress is not None:
        order.on_progress(Progress(**message["progress"]))
    return None


def _way(route: Route) -> tuple[aiohttp.ClientSession, str]:
    if route.host_id == host_id():
        return _session(route.socket), "http://worker"
    if not route.address:
        raise CallFailed(
            "server_unavailable", "The server is at a worker of another host, without an address."
        )
    return _session(TCP), f"http://{route.address}"


def _session(socket: str) -> aiohttp.ClientSession:
    """One for each worker of this host and one for all others, for each event loop."""
    sessions = _sessions.setdefault(asyncio.get_running_loop(), {})
    session = sessions.get(socket)
    if session is None:
        connector = aiohttp.UnixConnector(socket, limit=0) if socket else aiohttp.TCPConnector(limit=0)
        session = sessions[socket] = aiohttp.ClientSession(
            connector=connector,
            headers={TOKEN_HEADER: data_plane_token()},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
    return session


TCP = ""
_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, aiohttp.ClientSession]] = (
    WeakKeyDictionary()
)
