"""Retries of requests to workers: which are safe, when, and for how long.

Two failures stay between workers and this file (see `CallFailed`):
`stale_fence`: refused before anything ran. The request is sent again, to where the server is now.
`session_lost`: the server may have begun. The request is repeated, once and as soon as the server is back, if
its caller says that this is safe.

A request that reached no server waits for the next owner while the server moves to another worker or starts:
within OWNER_WITHIN_S and its own time-out. A server that is stopped, or has failed, is not waited for.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from connector.client import routes, transport
from connector.client.routes import Route, Unavailable
from connector.client.transport import Request
from connector.errors import CallFailed, MayHaveRun
from connector.wire.deadline import Deadline
from core.message import Message

GRACE_S = 2.0
"""For a worker that does not enforce the deadline itself, because it hangs."""
BACK_WITHIN_S = 5.0
OWNER_WITHIN_S = 30.0
"""For a drain of the last owner, or the end of its lease, and the start at the next one."""
RETRY_EVERY_S = 0.1

_NOTHING_RAN = frozenset({"server_restarting", "server_unavailable"})


async def send(request: Request, is_repeatable: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
    """Returns the worker's `result`. Raises CallFailed, at most GRACE_S too late, ServerError, AskedBack."""
    deadline = Deadline(request.timeout_s, grace_s=GRACE_S)
    return await _within(deadline, request, _send_or_repeat(request, deadline, is_repeatable))


async def send_once(request: Request, route: Route) -> dict[str, Any]:
    """As `send`, to this worker or to none: for what only this one can go on with."""
    deadline = Deadline(request.timeout_s, grace_s=GRACE_S)
    try:
        return await _within(deadline, request, transport.send(request, route, deadline))
    except CallFailed as failure:
        raise _refused(failure) from failure


async def _within(deadline: Deadline, request: Request, work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    try:
        async with deadline:
            return await work
    except TimeoutError as error:
        raise CallFailed("tool_timeout", deadline.missed_by(request.name)) from error
    except CallFailed as failure:
        if failure.code == "tool_timeout":
            # The worker's message names the time that was left for this attempt, not the caller's time-out.
            raise CallFailed("tool_timeout", deadline.missed_by(request.name)) from failure
        if failure.code == "session_lost":
            raise MayHaveRun("server_restarting", failure.message) from failure
        raise


async def _send_or_repeat(
    request: Request, deadline: Deadline, is_repeatable: Callable[[], Awaitable[bool]]
) -> dict[str, Any]:
    try:
        return await _send_to_owner(request, deadline, give_up_at=min(_now() + OWNER_WITHIN_S, deadline.at))
    except CallFailed as failure:
        if failure.code != "session_lost" or not await is_repeatable():
            raise
    return await _repeat(request, deadline)


async def _repeat(request: Request, deadline: Deadline) -> dict[str, Any]:
    """Sends the request again as soon as the server serves calls, within BACK_WITHIN_S and the deadline."""
    give_up_at = min(_now() + BACK_WITHIN_S, deadline.at)
    while True:
        await asyncio.sleep(RETRY_EVERY_S)
        try:
            return await _send_to_owner(request, deadline, give_up_at=give_up_at)
        except CallFailed as failure:
            # Only attempts that reached no server are made again: the request itself is repeated once.
            if failure.code not in _NOTHING_RAN or _now() > give_up_at:
                raise


async def _send_to_owner(request: Request, deadline: Deadline, *, give_up_at: float) -> dict[str, Any]:
    """Sends the request to the server's owner; while it has none, or one that drains, to the next one.

    Raises `server_restarting` or `server_unavailable` when there is none until `give_up_at`.
    """
    refusals: list[Route] = []
    while True:
        found = await routes.find(request.server_id)
        if isinstance(found, Unavailable):
            failure = _unavailable(found)
        else:
            # Of two replicas the other one may serve: a route that refused is the last choice.
            fresh = [route for route in found if route not in refusals]
            route = random.choice(fresh or found)  # noqa: S311 - spreading load
            try:
                return await transport.send(request, route, deadline)
            except CallFailed as refusal:
                failure = _refused(refusal)
            refusals.append(route)
            if len(refusals) == 1:
                # The change feed reports moves within milliseconds, and a call can be faster than that.
                routes.forget()
                continue
        if _now() >= give_up_at:
            raise failure
        await routes.changed(within_s=give_up_at - _now())


def _unavailable(found: Unavailable) -> CallFailed:
    """Returns the failure to wait with. Raises it where waiting is of no use."""
    named = Message("%(server)s: %(reason)s", server=found.server, reason=found.reason)
    failure = CallFailed("server_unavailable", named if found.server else found.reason)
    if not found.is_starting:
        raise failure
    return failure


def _refused(failure: CallFailed) -> CallFailed:
    """Returns the failure of a request that was sent to no server. Raises it if it may have been sent."""
    match failure.code:
        case "stale_fence":
            return CallFailed("server_restarting", Message("The server is moving to another worker."))
        case "server_restarting":
            return failure
    raise failure


def _now() -> float:
    return asyncio.get_running_loop().time()
