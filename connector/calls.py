"""Calling a tool, from any process: over HTTP to the worker that holds the server's session."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from weakref import WeakKeyDictionary

import aiohttp
import orjson

from connector import routes
from connector.credential import TOKEN_HEADER, data_plane_token
from connector.errors import CallFailed
from connector.flights import following
from connector.host import host_id
from connector.lines import LineSplitter
from connector.results import CallResult, Progress
from connector.routes import Route, Unavailable

CONNECT_TIMEOUT_S = 3.0
GRACE_S = 2.0  # the worker keeps the deadline; this is for a worker that does not
OnProgress = Callable[[Progress], None]


async def call(
    server_id: int,
    function: str,
    arguments: dict[str, Any],
    *,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> CallResult:
    """Call a tool once; it is never repeated. Cancelling this cancels the MCP request.

    Raises CallFailed, at the latest 2 s after `timeout_s`.
    """
    request = {
        "server_id": server_id,
        "function": function,
        "arguments": arguments,
        "timeout_s": timeout_s,
        "progress": on_progress is not None,
    }
    try:
        async with asyncio.timeout(timeout_s + GRACE_S):
            return await _call(server_id, request, on_progress)
    except TimeoutError as error:
        raise CallFailed("tool_timeout", f"{function} did not answer within {timeout_s:g} s.") from error


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Close this loop's connections to workers at the end."""
    try:
        yield
    finally:
        for session in _sessions.pop(asyncio.get_running_loop(), {}).values():
            await session.close()


async def _call(server_id: int, request: dict[str, Any], on_progress: OnProgress | None) -> CallResult:
    try:
        return await _ask(await _route(server_id), request, on_progress)
    except CallFailed as failure:
        if failure.code != "stale_fence":
            raise
    routes.forget()  # refused before anything ran: it may go, once, to where the server is now
    try:
        return await _ask(await _route(server_id), request, on_progress)
    except CallFailed as failure:
        if failure.code != "stale_fence":
            raise
        raise CallFailed("server_restarting", "The server is moving to another worker.") from failure


async def _route(server_id: int) -> Route:
    found = await routes.find(server_id)
    if isinstance(found, Unavailable):
        raise CallFailed("server_unavailable", found.reason)
    return found[0] if len(found) == 1 else random.choice(found)  # noqa: S311 - spreading load


async def _ask(route: Route, request: dict[str, Any], on_progress: OnProgress | None) -> CallResult:
    body = orjson.dumps({**request, "slot": route.slot, "fence": route.fence})
    session, url = _way(route)
    try:
        async with following(route), session.post(url, data=body) as response:
            response.raise_for_status()
            return await _read(response, on_progress)
    except aiohttp.ClientConnectorError as error:  # nothing was sent
        raise CallFailed("stale_fence", "The worker cannot be reached.") from error
    except aiohttp.ClientError as error:
        raise CallFailed("server_restarting", "The worker ended during the call.") from error


async def _read(response: aiohttp.ClientResponse, on_progress: OnProgress | None) -> CallResult:
    splitter = LineSplitter(sys.maxsize)
    async for chunk in response.content.iter_any():
        for line in splitter.feed(chunk):
            answer = _interpret(orjson.loads(cast(bytes, line)), on_progress)
            if answer is not None:
                return answer
    raise CallFailed("server_restarting", "The worker ended during the call.")


def _interpret(message: dict[str, Any], on_progress: OnProgress | None) -> CallResult | None:
    if "error" in message:
        raise CallFailed(**message["error"])
    if "result" in message:
        return CallResult(**message["result"])
    if on_progress is not None:
        on_progress(Progress(**message["progress"]))
    return None


def _way(route: Route) -> tuple[aiohttp.ClientSession, str]:
    if route.host_id == host_id():
        return _session(route.socket), "http://worker/call"
    if not route.address:
        raise CallFailed(
            "server_unavailable", "The server is at a worker of another host, without an address."
        )
    return _session(TCP), f"http://{route.address}/call"


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
