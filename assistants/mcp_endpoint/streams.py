"""Long streams: what a session is told outside of its calls (GET), and `subscriptions/listen`."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException
from starlette.types import Receive, Send

from assistants.agent.cancellation import cancellable
from assistants.mcp_endpoint import bus, following, messages, methods, states
from assistants.mcp_endpoint.changes import KINDS, Follower
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Request
from assistants.mcp_endpoint.outlet import HEARTBEAT, Outlet, begin_stream, disconnected
from assistants.mcp_endpoint.protocol import REFUSED, SUBSCRIPTION_META, RpcError, invalid_params
from assistants.mcp_endpoint.sessions import Session

log = logging.getLogger(__name__)

MOST_OF_A_KEY = 200
"""Streams that a key may hold open in one process: each of them costs memory and a connection."""

_TAKEN_OVER = "stream"

_of_key: Counter[int] = Counter()
_open: dict[str, asyncio.Event] = {}
"""What ends the stream of a session, by the session's name."""


async def follow_session(client: Client, session: Session, receive: Receive, send: Send) -> None:
    """Answers the GET of a session: changes of lists, and updates of the resources that it follows."""
    state, altered, changed = await states.of(session), asyncio.Event(), asyncio.Event()

    async def ended() -> None:
        nonlocal state
        while not state.has_ended:
            await altered.wait()
            altered.clear()
            state = await states.of(session)
            changed.set()

    outlet = Outlet()

    def told(uri: str, is_settled: bool) -> None:
        following.tell(session, uri, is_settled=is_settled)

    follower = Follower(outlet, client.principal, client.address, told)
    forget = states.on_change(session, altered.set)
    try:
        with _counted(client), _only(session) as taken_over:
            await bus.send(_TAKEN_OVER, session.name)
            lists = follower.follow_lists(KINDS)
            resources = follower.follow_resources(lambda: state.resources, changed)
            ends = ended(), taken_over.wait(), disconnected(receive)
            await _stream(client, outlet, (*ends, lists, resources), send)
    finally:
        forget()


@contextmanager
def _only(session: Session) -> Iterator[asyncio.Event]:
    """Ends the stream that the session has already. Yields what another one ends this one by.

    No message may go out on two of them (2025-11-25, "Multiple Connections"); and where a client has lost a
    connection without an end, the older stream leads nowhere.
    """
    _take_over(session.name)
    mine = _open[session.name] = asyncio.Event()
    try:
        yield mine
    finally:
        if _open.get(session.name) is mine:
            del _open[session.name]


def _take_over(session: str) -> None:
    following.stream_begins(session)
    if (older := _open.get(session)) is not None:
        older.set()


async def listen(client: Client, request: Request, receive: Receive, send: Send) -> None:
    """Answers `subscriptions/listen`: first with what of it is granted, then with what changes."""
    outlet, stamp = Outlet(is_held=True), {SUBSCRIPTION_META: request.id}
    wanted = _filter(client, request)
    kinds = [kind for kind in KINDS if f"{kind}ListChanged" in wanted]
    acknowledged = {"notifications": wanted, "_meta": stamp}
    acknowledgement = messages.notification("notifications/subscriptions/acknowledged", acknowledged)
    uris = frozenset(wanted.get("resourceSubscriptions", ()))
    unsettled, settled = set(uris), asyncio.Event()

    def told(uri: str, is_settled: bool) -> None:
        if is_settled:
            unsettled.discard(uri)
        if not unsettled:
            settled.set()

    async def acknowledge() -> None:
        """Says what is followed once that is so, before anything that has changed. Ends with the client."""
        if uris:
            await following.is_set(settled, within_s=following.SETTLED_WITHIN_S)
        outlet.release(acknowledgement)
        await disconnected(receive)

    follower = Follower(outlet, client.principal, client.address, told, stamp)
    end = messages.result(request.id, {"resultType": "complete", "_meta": stamp})
    with _counted(client):
        changes = follower.follow_lists(kinds), follower.follow_resources(lambda: uris, asyncio.Event())
        await _stream(client, outlet, (acknowledge(), *changes), send, last=messages.event(end))


def _filter(client: Client, request: Request) -> dict[str, Any]:
    """Returns what of the wanted notifications will be sent, as wire JSON. Raises RpcError."""
    wanted = request.params.get("notifications")
    if not isinstance(wanted, dict):
        raise invalid_params('"notifications" must be an object.')
    granted: dict[str, Any] = {
        name: True for kind in KINDS if wanted.get(name := f"{kind}ListChanged") is True
    }
    uris = wanted.get("resourceSubscriptions") or []
    if not isinstance(uris, list) or len(uris) > methods.MOST_RESOURCES:
        most = methods.MOST_RESOURCES
        raise invalid_params(f'"resourceSubscriptions" must be a list of up to {most} URIs.')
    if followed := [uri for uri in uris if methods.can_follow(client, uri)]:
        granted["resourceSubscriptions"] = followed
    return granted


async def _stream(
    client: Client,
    outlet: Outlet,
    work: Iterable[Coroutine[Any, Any, object]],
    send: Send,
    *,
    last: bytes = b"",
) -> None:
    """Streams what comes to `outlet` until some `work` has ended or the key may call no more, then `last`."""
    tasks = [asyncio.ensure_future(each) for each in work]
    for task in tasks:
        task.add_done_callback(outlet.wake)
    await begin_stream(send)
    try:
        async with cancellable(client.principal):
            while not any(task.done() for task in tasks):
                events = await outlet.taken(settings.STREAM_HEARTBEAT_S)
                await send({"type": "http.response.body", "body": events or HEARTBEAT, "more_body": True})
    except APIException:
        pass  # the key was taken away, or the process ends
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    _log_unexpected(outcomes)
    await send({"type": "http.response.body", "body": last})


def _log_unexpected(outcomes: Iterable[object]) -> None:
    """The stream ends whatever happened: the client opens another one."""
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, RpcError | APIException):
            log.error("A stream ended by an unexpected error", exc_info=outcome)


@contextmanager
def _counted(client: Client) -> Iterator[None]:
    """Raises RpcError (429) if the key holds too many streams already."""
    key = client.principal.id
    if _of_key[key] >= MOST_OF_A_KEY:
        raise RpcError(REFUSED, f"This API key holds {MOST_OF_A_KEY} streams open: close some.", status=429)
    _of_key[key] += 1
    try:
        yield
    finally:
        _of_key[key] -= 1
        if not _of_key[key]:
            del _of_key[key]


bus.receives(_TAKEN_OVER, lambda session, _: _take_over(session))
