"""Sends a request of MCP to a server, wherever it runs, and returns the server's result as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import django.db

from connector.client import retry
from connector.client.transport import OnProgress, Request
from connector.errors import CallFailed
from connector.wire.results import name_of
from core.database import in_thread
from core.message import Message
from tools.models import ToolFunction

METHODS = ("tools/call", "resources/read", "prompts/get", "completion/complete")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an MCP client adds to a request. All of it is optional: see `send`.

    `meta`: its `_meta` without `progressToken`. `capabilities`: of the client as wire JSON, what it can be
    asked for; None: nothing. `session`: an opaque name of the client's session, for a session with the server
    that lives as long; empty: one for this request alone. `key_id`: of the API key, for the limits per key.
    `log_level`: of messages for `on_log`, which gets the params of `notifications/message`; empty: none.
    `state` and `responses` continue an InputRequired: `responses` by the names of its requests, each a result
    as wire JSON, or `{"error": {"code", "message"}}` where the client refused.
    """

    meta: Mapping[str, Any] | None = None
    capabilities: Mapping[str, Any] | None = None
    session: str = ""
    key_id: int = 0
    on_progress: OnProgress | None = None
    on_log: Callable[[dict[str, Any]], None] | None = None
    log_level: str = ""
    state: str = ""
    responses: Mapping[str, Any] | None = None


NONE = Exchange()


@dataclass(frozen=True, slots=True)
class InputRequired:
    """The server asks back before it answers: send the request again, with `state` and the responses.

    `requests`: `{name: {"method": .., "params": ..}}` as wire JSON. `state` is opaque.
    Source: MCP 2026-07-28, multi round-trip requests.
    """

    requests: Mapping[str, Any]
    state: str


async def send(
    server_id: int, method: str, params: Mapping[str, Any], *, timeout_s: float, exchange: Exchange = NONE
) -> dict[str, Any] | InputRequired:
    """Returns the server's result as wire JSON, without `resultType`, or what it asks back.

    `method` is one of METHODS. Cancelling this cancels the request at the server. Each progress that the
    server reports starts the time-out anew, up to MCP_CALL_CEILING_S in all.

    A request whose session is lost on the way is repeated once, if it changes nothing: a tool must declare
    that it is read-only or idempotent. Raises CallFailed, at the latest 2 s too late, and ServerError.
    """
    result = await round_trip(server_id, method, params, timeout_s, exchange)
    if isinstance(result, InputRequired):
        raise CallFailed(
            "refused", Message("The server asks for input from a person, which cannot be given here.")
        )
    return result


async def round_trip(
    server_id: int, method: str, params: Mapping[str, Any], timeout_s: float, exchange: Exchange
) -> dict[str, Any] | InputRequired:
    """As `send`, for callers that can tell themselves what an InputRequired means."""
    sent = {**params, "_meta": exchange.meta} if exchange.meta else params
    body = {"method": method, "params": sent, "progress": exchange.on_progress is not None}
    name = name_of(method, params)
    request = Request(server_id, "/request", body, name, timeout_s, exchange.on_progress)

    async def is_repeatable() -> bool:
        # MCP knows no resource, prompt or completion that changes anything by being read.
        return method != "tools/call" or await _is_repeatable_tool(server_id, name)

    return _complete(await retry.send(request, is_repeatable))


def _complete(result: dict[str, Any]) -> dict[str, Any] | InputRequired:
    kind = result.pop("resultType", "complete")
    if kind == "complete":
        return result
    if kind == "input_required":
        return InputRequired(result.get("inputRequests") or {}, "")
    raise CallFailed("invalid_result", Message("The server's answer is of a kind that is not supported."))


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
