"""Sends a request of MCP to a server, wherever it runs, and returns the server's result as it is."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import django.db

from connector.client import retry, routes, workers
from connector.client.round_trips import (
    InputRequired,
    State,
    continued,
    opened,
    outcome,
    require_askable,
    require_safe,
    sealed,
)
from connector.client.transport import OnNotice, OnProgress, Request
from connector.errors import AskedBack, CallFailed, ServerError
from connector.wire.asking import Client, askable
from connector.wire.results import name_of
from core.database import in_thread
from core.message import Message
from tools.models import ToolFunction

__all__ = [
    "METHODS",
    "NONE",
    "Exchange",
    "InputRequired",
    "end_session",
    "give_up",
    "round_trip",
    "send",
    "tell_roots_changed",
]

GIVE_UP_S = 5.0
METHODS = ("tools/call", "resources/read", "prompts/get", "completion/complete")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an MCP client adds to a request. All of it is optional: see `send`.

    `meta`: its `_meta` without `progressToken`. `capabilities`: of the client as wire JSON, what it can be
    asked for; None: nothing. `session`: an opaque name of the client's session, for a session with the server
    that lives as long; empty: one for this request alone. `key_id`: of the API key, for the limits per key.
    `log_level`: of messages for `on_log`, which gets the params of `notifications/message`; empty: none.
    `on_elicited` gets those of `notifications/elicitation/complete`.
    `state` and `responses` continue an InputRequired: `responses` by the names of its requests, each a result
    as wire JSON, or `{"error": {"code", "message"}}` where the client refused. `is_repeatable`: whether the
    request may be sent once more after its session was lost; None: as the tool says of itself.
    """

    meta: Mapping[str, Any] | None = None
    capabilities: Mapping[str, Any] | None = None
    session: str = ""
    key_id: int = 0
    on_progress: OnProgress | None = None
    on_log: OnNotice | None = None
    on_elicited: OnNotice | None = None
    log_level: str = ""
    state: str = ""
    responses: Mapping[str, Any] | None = None
    is_repeatable: bool | None = None


NONE = Exchange()


async def send(
    server_id: int, method: str, params: Mapping[str, Any], *, timeout_s: float, exchange: Exchange = NONE
) -> dict[str, Any] | InputRequired:
    """Returns the server's result as wire JSON, without `resultType`, or what it asks back.

    `method` is one of METHODS. Cancelling this cancels the request at the server. Each progress that the
    server reports starts the time-out anew, up to MCP_CALL_CEILING_S in all.

    A request whose session is lost on the way is repeated once, if it changes nothing: a tool must declare
    that it is read-only or idempotent; else it raises MayHaveRun. Raises CallFailed, at the latest 2 s too
    late, and ServerError.

    The server may ask back what `exchange.capabilities` allows. The next round, with the state and the
    responses, has the same method and params. One that does not come is given up after MCP_INPUT_TIMEOUT_S.
    """
    result = await round_trip(server_id, method, params, timeout_s, exchange)
    if isinstance(result, InputRequired):
        require_askable(result.requests, askable(exchange.capabilities))
    return result


async def round_trip(
    server_id: int, method: str, params: Mapping[str, Any], timeout_s: float, exchange: Exchange
) -> dict[str, Any] | InputRequired:
    """As `send`, and whatever the server asks, for callers without anybody who could be asked."""
    state = opened(exchange.state, server_id, exchange.key_id) if exchange.state else None
    sent = {**params, "_meta": exchange.meta} if exchange.meta else params
    body = {
        "method": method,
        "params": continued(sent, state, exchange.responses),
        **_about(exchange),
    }
    name = name_of(method, params)
    listeners = exchange.on_progress, exchange.on_log, exchange.on_elicited
    request = Request(server_id, body, name, timeout_s, *listeners)

    async def is_repeatable() -> bool:
        if state is not None:
            return False
        if exchange.is_repeatable is not None:
            return exchange.is_repeatable
        # MCP knows no resource, prompt or completion that changes anything by being read.
        return method != "tools/call" or await _is_repeatable_tool(server_id, name)

    try:
        if state is not None and state.parked is not None:
            result = await _resume(request, state.parked, exchange)
        else:
            result = await retry.send(request, is_repeatable)
        return outcome(result, server_id, exchange.key_id)
    except ServerError as error:
        require_safe(error)
        raise
    except AskedBack as asked:
        parked = State(parked=(asked.slot, asked.fence, asked.call))
        return InputRequired(asked.requests, sealed(parked, server_id, exchange.key_id))


async def give_up(server_id: int, exchange: Exchange) -> None:
    """Cancels a request that ended with InputRequired, whose `state` and `key_id` are in `exchange`."""
    parked = opened(exchange.state, server_id, exchange.key_id).parked
    if parked is not None:
        with suppress(CallFailed):
            request = Request(server_id, {"is_given_up": True}, "", GIVE_UP_S)
            await _resume(request, parked, exchange)


async def end_session(session: str) -> None:
    """Ends the sessions with servers that this client's session has, at whichever worker they are."""
    # They would end by themselves, once they have been idle for a while.
    await _tell_workers("session/end", session)


async def tell_roots_changed(session: str) -> None:
    """Tells the servers with which this client's session has sessions that its roots are others."""
    await _tell_workers("session/roots-changed", session)


async def _tell_workers(name: str, session: str) -> None:
    asked = [
        workers.ask(each, name, {"session": session}, timeout_s=GIVE_UP_S) for each in await workers.alive()
    ]
    await asyncio.gather(*asked, return_exceptions=True)


def _about(exchange: Exchange) -> dict[str, Any]:
    """Returns what the worker needs to know of a client that can be asked, or wants log messages."""
    if not exchange.capabilities and exchange.on_log is None:
        return {}
    capabilities = askable(exchange.capabilities)
    level = exchange.log_level if exchange.on_log is not None else ""
    return {"client": asdict(Client(capabilities, exchange.session, exchange.key_id, level))}


async def _resume(request: Request, parked: tuple[int, int, str], exchange: Exchange) -> dict[str, Any]:
    """Goes on with a call that waits in the worker that holds this slot under this fence."""
    slot, fence, call = parked
    found = await routes.find(request.server_id)
    held = (
        [each for each in found if (each.slot, each.fence) == (slot, fence)]
        if isinstance(found, tuple)
        else []
    )
    if not held:
        message = Message("The server ended while it waited for an answer.")
        raise CallFailed("server_restarting", message)
    body = {**request.body, "parked": call, "responses": exchange.responses or {}}
    return await retry.send_once(replace(request, body=body), held[0])


async def _is_repeatable_tool(server_id: int, function: str) -> bool:
    """Returns whether the tool's annotations say that calling it twice does what calling it once does."""
    try:
        annotations = await _annotations(server_id, function)
    except django.db.Error:
        # Not known is not safe: a payment must not be made twice because the database is away.
        return False
    return any(annotations.get(hint) is True for hint in ("readOnlyHint", "idempotentHint"))


@in_thread
def _annotations(server_id: int, function: str) -> dict[str, Any]:
    rows = ToolFunction.objects.present().filter(server=server_id, name=function)
    return rows.values_list("annotations", flat=True).first() or {}
