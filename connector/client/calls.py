"""Calls a tool, reads a resource or gets a prompt of a server, for those who have nobody to ask back."""

from typing import Any

from connector.client.requests import Exchange, InputRequired, round_trip
from connector.client.transport import OnProgress, lifespan
from connector.errors import CallFailed, FailureCode, ServerError
from connector.wire.results import CallResult, PromptResult
from core.message import Message

__all__ = ["OnProgress", "call", "get_prompt", "lifespan", "read_resource"]

NOT_FOUND = {-32002, -32602, -32601}
"""Servers disagree about the code for what does not exist: resource not found, invalid params, no method."""
EXCERPT = 200


async def call(
    server_id: int,
    function: str,
    arguments: dict[str, Any],
    *,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> CallResult:
    """Calls a tool, as `requests.send` does. Raises CallFailed.

    An error that the server gives for the call is a result: the model is to read it. So is its question for a
    person's input.
    """
    params = {"name": function, "arguments": arguments}
    exchange = Exchange(on_progress=on_progress)
    try:
        result = await round_trip(server_id, "tools/call", params, timeout_s, exchange)
    except ServerError as error:
        return _failed(error.message)
    if isinstance(result, InputRequired):
        return _failed("The tool asks for input from a person, which cannot be given here.")
    is_error = bool(result.get("isError"))
    return CallResult(result.get("content", []), result.get("structuredContent"), is_error=is_error)


async def read_resource(server_id: int, uri: str, *, timeout_s: float) -> list[dict[str, Any]]:
    """Returns the resource's contents as wire JSON: `uri`, perhaps `mimeType`, and `text` or base64 `blob`.

    Raises CallFailed; `not_found` when the server has no such resource.
    """
    result = await _read(server_id, "resources/read", {"uri": uri}, timeout_s)
    contents: list[dict[str, Any]] = result["contents"]
    return contents


async def get_prompt(
    server_id: int, name: str, arguments: dict[str, str], *, timeout_s: float
) -> PromptResult:
    """Returns a prompt's messages. Raises CallFailed; `not_found` for an unknown name or bad arguments."""
    result = await _read(server_id, "prompts/get", {"name": name, "arguments": arguments}, timeout_s)
    return PromptResult(result.get("description") or "", result["messages"])


def _failed(text: str) -> CallResult:
    return CallResult([{"type": "text", "text": text}], None, is_error=True)


async def _read(server_id: int, method: str, params: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    try:
        result = await round_trip(server_id, method, params, timeout_s, Exchange())
    except ServerError as error:
        code: FailureCode = "not_found" if error.code in NOT_FOUND else "refused"
        raise CallFailed(code, Message("The server said: %(text)s", text=error.message[:EXCERPT])) from error
    if isinstance(result, InputRequired):
        raise CallFailed(
            "refused", Message("The server asks for input from a person, which cannot be given here.")
        )
    return result
