"""Calls a tool, reads a resource or gets a prompt of a server, from any process."""

from collections.abc import Callable
from typing import Any

import django.db

from connector.client import retry
from connector.client.transport import Request, lifespan
from connector.wire.results import CallResult, Progress, PromptResult
from core.database import in_thread
from tools.models import ToolFunction

__all__ = ["OnProgress", "call", "get_prompt", "lifespan", "read_resource"]

OnProgress = Callable[[Progress], None]


async def call(
    server_id: int,
    function: str,
    arguments: dict[str, Any],
    *,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> CallResult:
    """Calls a tool. Cancelling this cancels the MCP request. Raises CallFailed, at the latest 2 s too late.

    A call whose session is lost on the way is repeated once, if the tool declares that it is read-only or
    idempotent.
    """
    body = {"function": function, "arguments": arguments, "progress": on_progress is not None}
    request = Request(server_id, "/call", body, function, timeout_s, on_progress)
    return CallResult(**await retry.send(request, lambda: _is_repeatable(server_id, function)))


async def read_resource(server_id: int, uri: str, *, timeout_s: float) -> list[dict[str, Any]]:
    """Returns the resource's contents as wire JSON: `uri`, perhaps `mimeType`, and `text` or base64 `blob`.

    Raises CallFailed; `not_found` when the server has no such resource.
    """
    request = Request(server_id, "/resource", {"uri": uri}, uri, timeout_s)
    contents: list[dict[str, Any]] = (await retry.send(request, _reading_is_repeatable))["contents"]
    return contents


async def get_prompt(
    server_id: int, name: str, arguments: dict[str, str], *, timeout_s: float
) -> PromptResult:
    """Returns a prompt's messages. Raises CallFailed; `not_found` for an unknown name or bad arguments."""
    request = Request(server_id, "/prompt", {"name": name, "arguments": arguments}, name, timeout_s)
    return PromptResult(**await retry.send(request, _reading_is_repeatable))


async def _is_repeatable(server_id: int, function: str) -> bool:
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


async def _reading_is_repeatable() -> bool:
    """MCP knows no resource or prompt that changes anything by being read."""
    return True
