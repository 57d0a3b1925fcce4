"""Sends a request to the worker that holds a server's session, and reads the answer: one attempt.

A worker on this host is called on its unix socket, others on TCP. `data_plane.server` describes the requests,
`client.retry` decides on further attempts.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from connector.client import in_flight
from connector.client.connection import Heed
from connector.client.pool import connection_to, lifespan
from connector.client.routes import Route
from connector.errors import AskedBack, CallFailed, ServerError
from connector.host import host_id
from connector.wire.deadline import Deadline
from connector.wire.frames import BadFrame, content
from connector.wire.known import known
from connector.wire.results import Progress
from core import log_context, metrics, tracing
from core.message import Message, restored

__all__ = ["OnNotice", "OnProgress", "Request", "follow", "lifespan", "result_of", "send"]

OnProgress = Callable[[Progress], None]
OnNotice = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Request:
    """`body` is for the data plane; `name`, of a tool, resource or prompt, is for messages."""

    server_id: int
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

    def heed(message: dict[str, Any]) -> None:
        if "progress" in message:
            deadline.put_off()
            if request.on_progress is not None:
                request.on_progress(known(Progress, message["progress"]))
            return
        for kind, hear in (("log", request.on_log), ("elicited", request.on_elicited)):
            if kind in message and hear is not None:
                hear(message[kind])

    began = time.monotonic()
    try:
        with tracing.span("worker request", kind=tracing.CLIENT):
            return await follow("request", _body(request, route, deadline), route, heed)
    finally:
        metrics.HOP_SECONDS.observe(time.monotonic() - began, "caller")


async def follow(name: str, body: dict[str, Any], route: Route, heed: Heed) -> dict[str, Any]:
    """Returns the answer's `result`; `heed` gets each message before it. Raises what `send` raises."""
    connection = await connection_to(_address(route))
    answer = connection.ask(name, body, heed)
    with in_flight.tracked(answer, route):
        return cast(dict[str, Any], result_of(await answer))


def result_of(answer: bytes | bytearray) -> Any:
    """Returns the `result` of the last message of an answer. Raises what the message says went wrong."""
    try:
        message = content(answer)
    except BadFrame as error:
        raise CallFailed("session_lost", Message("The worker's answer cannot be read.")) from error
    if "result" in message:
        return message["result"]
    if "server_error" in message:
        said = message["server_error"]
        raise ServerError(said["code"], said["message"], said["data"])
    if "asked" in message:
        asked = message["asked"]
        raise AskedBack(asked["requests"], asked["slot"], asked["fence"], asked["call"])
    raise CallFailed(message["error"]["code"], restored(message["error"]))


def _body(request: Request, route: Route, deadline: Deadline) -> dict[str, Any]:
    target = {"server_id": request.server_id, "slot": route.slot, "fence": route.fence}
    if route.asks_back:
        target["asks_back"] = True
    # The time left, not a point in time: clocks of two hosts differ.
    times = {"timeout_s": request.timeout_s, "left_s": deadline.left_s}
    return {**request.body, **target, **times, "about": log_context.given(), "trace": tracing.carried()}


def _address(route: Route) -> str:
    if route.host_id == host_id():
        return route.socket
    if not route.address:
        raise CallFailed(
            "server_unavailable", Message("The server is at a worker of another host, without an address.")
        )
    return route.address
