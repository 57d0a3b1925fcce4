"""Calling a tool, reading a resource and getting a prompt, from any process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import django.db

from connector.client.transport import Order, deliver, lifespan
from connector.errors import CallFailed
from connector.wire.results import CallResult, Progress, PromptResult
from core.database import in_thread
from tools.models import ToolFunction

__all__ = ["OnProgress", "call", "get_prompt", "lifespan", "read_resource"]

GRACE_S = 2.0  # the worker keeps the deadline; this is for a worker that does not
BACK_WITHIN_S = 5.0
LOOK_EVERY_S = 0.1
OnProgress = Callable[[Progress], None]


async def call(
    server_id: int,
    function: str,
    arguments: dict[str, Any],
    *,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> CallResult:
    """Call a tool. Cancelling this cancels the MCP request. Raises CallFailed, at the latest 2 s too late.

    When the session is lost on the way, the call is repeated, once, if the tool says that it is read-only or
    idempotent.
    """
    body = {"function": function, "arguments": arguments, "progress": on_progress is not None}
    order = Order(server_id, "/call", body, function, _in(timeout_s), on_progress)
    return CallResult(**await _fulfil(order, timeout_s, lambda: _is_repeatable(server_id, function)))


async def read_resource(server_id: int, uri: str, *, timeout_s: float) -> list[dict[str, Any]]:
    """Its contents as wire JSON: each with `uri`, perhaps `mimeType`, and `text` or base64 `blob`.

    Raises CallFailed; `not_found` when the server has no such resource.
    """
    order = Order(server_id, "/resource", {"uri": uri}, uri, _in(timeout_s))
    contents: list[dict[str, Any]] = (await _fulfil(order, timeout_s, _always))["contents"]
    return contents


async def get_prompt(
    server_id: int, name: str, arguments: dict[str, str], *, timeout_s: float
) -> PromptResult:
    """Raises CallFailed; `not_found` when the server refuses the name or the arguments."""
    order = Order(server_id, "/prompt", {"name": name, "arguments": arguments}, name, _in(timeout_s))
    return PromptResult(**await _fulfil(order, timeout_s, _always))


async def _fulfil(
    order: Order, timeout_s: float, is_repeatable: Callable[[], Awaitable[bool]]
) -> dict[str, Any]:
    try:
        async with asyncio.timeout(timeout_s + GRACE_S):
            try:
                return await deliver(order)
            except CallFailed as failure:
                if failure.code != "session_lost" or not await is_repeatable():
                    raise
            return await _repeat(order)
    except TimeoutError as error:
        raise _timed_out(order, timeout_s) from error
    except CallFailed as failure:
        if failure.code == "tool_timeout":  # the worker knows no more than what was left of the time
            raise _timed_out(order, timeout_s) from failure
        if failure.code == "session_lost":
            raise CallFailed("server_restarting", failure.message) from failure
        raise


def _timed_out(order: Order, timeout_s: float) -> CallFailed:
    return CallFailed("tool_timeout", f"{order.name} did not answer within {timeout_s:g} s.")


async def _repeat(order: Order) -> dict[str, Any]:
    """As soon as the server is back, if it is back soon."""
    until = min(_in(BACK_WITHIN_S), order.until)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            return await deliver(order)
        except CallFailed as failure:
            is_away = failure.code in {"server_restarting", "server_unavailable"}  # and nothing ran
            if not is_away or _in(0) > until:
                raise


async def _is_repeatable(server_id: int, function: str) -> bool:
    try:
        annotations = await _annotations(server_id, function)
    except django.db.Error:
        return False
    return any(annotations.get(hint) is True for hint in ("readOnlyHint", "idempotentHint"))


@in_thread
def _annotations(server_id: int, function: str) -> dict[str, Any]:
    rows = ToolFunction.objects.present().filter(server=server_id, name=function)
    return rows.values_list("annotations", flat=True).first() or {}


async def _always() -> bool:
    """What only reads may be repeated."""
    return True


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
