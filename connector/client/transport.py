"""Sends a request to the worker that holds a server's session, and reads the answer: one attempt over HTTP.

A worker on this host is called on its unix socket, others on TCP. `data_plane.server` describes the protocol,
`client.retry` decides on further attempts.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import aiohttp
import orjson

from connector.client import in_flight
from connector.client.routes import Route
from connector.errors import AskedBack, CallFailed, ServerError
from connector.host import host_id
from connector.wire.deadline import Deadline
from connector.wire.lines import LineSplitter
from connector.wire.results import Progress
from connector.wire.token import TOKEN_HEADER, data_plane_token
from core.message import Message, restored

CONNECT_TIMEOUT_S = 3.0

OnProgress = Callable[[Progress], None]
OnNotice = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Request:
    """`path` and `body` are for the data plane; `name`, of a tool, resource or prompt, is for messages."""

    server_id: int
    path: str
    body: dict[str, Any]
    name: str
    timeout_s: float
    on_progress: OnProgress | None = None
    on_log: OnNotice | None = None
    on_elicited: OnNotice | None = None


async def send(request: Request, route: Route, deadline: Deadline) -> dict[str, Any]:
    """Returns the answer's `result`. The worker enforces the deadline; progress puts it off here as well.

    Raises CallFailed: `stale_fence` when nothing ran, `session_lost` when the server may have begun. Raises
    ServerError and AskedBack.
    """

    def heed(line: dict[str, Any]) -> None:
        for kind, hear in (("log", request.on_log), ("elicited", request.on_elicited)):
            if kind in line:
                if hear is not None:
                    hear(line[kind])
                return
        deadline.put_off()
        if request.on_progress is not None:
            request.on_progress(Progress(**line["progress"]))

    return await follow(request.path, _body(request, route, deadline), route, heed)


async def follow(
    path: str, body: dict[str, Any], route: Route, heed: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Returns the answer's `result`; `heed` gets each line before it. Raises what `send` raises."""
    session, base = await _session_for(route)
    try:
        async with (
            in_flight.tracked(route),
            session.post(f"{base}{path}", data=orjson.dumps(body)) as response,
        ):
            response.raise_for_status()
            return await _read(response, heed)
    except aiohttp.ClientConnectorError as error:  # nothing was sent
        raise CallFailed("stale_fence", Message("The worker cannot be reached.")) from error
    except aiohttp.ClientError as error:
        raise CallFailed("session_lost", Message("The worker ended during the call.")) from error


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Closes this event loop's connections to workers when the block ends."""
    try:
        yield
    finally:
        for session in _sessions.pop(asyncio.get_running_loop(), {}).values():
            await session.close()


def _body(request: Request, route: Route, deadline: Deadline) -> dict[str, Any]:
    target = {"server_id": request.server_id, "slot": route.slot, "fence": route.fence}
    if route.asks_back:
        target["asks_back"] = True
    # The time left, not a point in time: clocks of two hosts differ.
    times = {"timeout_s": request.timeout_s, "left_s": deadline.left_s}
    return {**request.body, **target, **times}


async def _read(response: aiohttp.ClientResponse, heed: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    # No limit: the worker has limited the result already, and belongs to us.
    splitter = LineSplitter(sys.maxsize)
    async for chunk in response.content.iter_any():
        for line in splitter.feed(chunk):
            message = orjson.loads(cast(bytes, line))
            if "result" in message:
                return cast(dict[str, Any], message["result"])
            _raise_error(message)
            heed(message)
    raise CallFailed("session_lost", Message("The worker ended during the call."))


def _raise_error(message: dict[str, Any]) -> None:
    """Raises the error that a line reports, if it does."""
    if "error" in message:
        raise CallFailed(message["error"]["code"], restored(message["error"]))
    if "server_error" in message:
        raise ServerError(**message["server_error"])
    if "asked" in message:
        raise AskedBack(**message["asked"])


async def _session_for(route: Route) -> tuple[aiohttp.ClientSession, str]:
    """Returns the HTTP session to use, and the URL of the worker's root."""
    if route.host_id == host_id():
        return await _session(route.socket), "http://worker"
    if not route.address:
        raise CallFailed(
            "server_unavailable", Message("The server is at a worker of another host, without an address.")
        )
    return await _session(TCP), f"http://{route.address}"


async def _session(socket: str) -> aiohttp.ClientSession:
    """Returns the session for a worker's socket, or for TCP to all others: one for each event loop."""
    sessions = _sessions.setdefault(asyncio.get_running_loop(), {})
    session = sessions.get(socket)
    if session is None:
        connector = aiohttp.UnixConnector(socket, limit=0) if socket else aiohttp.TCPConnector(limit=0)
        session = sessions[socket] = aiohttp.ClientSession(
            connector=connector,
            headers={TOKEN_HEADER: data_plane_token()},
            # A call may last as long as its tool's time-out: only connecting is limited here.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # Only now: another call must find this one, and not make a second, while the old ones close.
        await _close_unused(sessions, new=socket)
    return session


async def _close_unused(sessions: dict[str, aiohttp.ClientSession], *, new: str) -> None:
    """Closes sessions to workers that have ended: else a process would hold one for each that ever lived."""
    for session in [sessions.pop(socket) for socket in sessions.keys() - {TCP, new} if _has_ended(socket)]:
        await session.close()


def _has_ended(socket: str) -> bool:
    """A worker removes its socket when it ends, and those of killed workers when it starts."""
    return not Path(socket).exists()


TCP = ""
_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, aiohttp.ClientSession]] = (
    WeakKeyDictionary()
)
