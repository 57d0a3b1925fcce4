"""What a server's answer, or its failure to give one, means to the caller."""

from typing import Any

from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, PARSE_ERROR

from connector.errors import CallFailed, SessionExpired, SessionLost
from connector.session.limits import OUTPUT_TOO_LARGE, TOO_LARGE_TEXT
from connector.wire.results import CallResult, PromptResult

RESOURCE_NOT_FOUND = -32002
_SESSION_GONE = "Session terminated"  # how the SDK words HTTP 404 on a session
_SHOWN = 200
_ASKS_FOR_INPUT = "The tool asks for input from a person, which cannot be given here."


def lost(error: MCPError) -> SessionLost:
    """Of a request that every session must answer."""
    if error.message == _SESSION_GONE:
        return SessionExpired("The server has forgotten the session.")
    if error.code == CONNECTION_CLOSED:
        return SessionLost("The server closed the connection.")
    return SessionLost(f"The server answered with an error: {error.message[:_SHOWN]}")


def call_result(wire: dict[str, Any]) -> CallResult:
    """A tool that wants to ask a person back (`input_required`) is told, as the model is, that it cannot."""
    if wire.get("resultType", "complete") != "complete":
        return CallResult([{"type": "text", "text": _ASKS_FOR_INPUT}], None, is_error=True)
    return CallResult(
        wire.get("content", []), wire.get("structuredContent"), is_error=bool(wire.get("isError"))
    )


def prompt_result(wire: dict[str, Any]) -> PromptResult:
    return PromptResult(wire.get("description") or "", complete(wire)["messages"])


def complete(wire: dict[str, Any]) -> dict[str, Any]:
    """The same. Raises CallFailed if it asks for input instead."""
    if wire.get("resultType", "complete") != "complete":
        raise CallFailed("refused", "The server asks for input from a person, which cannot be given here.")
    return wire


def failed_call(error: MCPError) -> CallResult:
    """An error that the server gives for a call is a result for the model to read."""
    require_session(error)
    return CallResult([{"type": "text", "text": error.message}], None, is_error=True)


def failed_read(error: MCPError) -> CallFailed:
    require_session(error)
    unknown = error.code in {RESOURCE_NOT_FOUND, INVALID_PARAMS, METHOD_NOT_FOUND}
    return CallFailed("not_found" if unknown else "refused", f"The server said: {error.message[:_SHOWN]}")


def require_session(error: MCPError) -> None:
    """Raises what it means if this error is not the server's own: SessionLost or CallFailed."""
    if error.message == _SESSION_GONE:
        raise SessionExpired("The server has forgotten the session.") from error
    if error.code == CONNECTION_CLOSED:
        raise SessionLost("The server ended during the call.") from error
    if error.code == OUTPUT_TOO_LARGE or (error.code == PARSE_ERROR and TOO_LARGE_TEXT in error.message):
        raise CallFailed("output_too_large", "The result is too large.") from error
    if error.code == PARSE_ERROR:  # the SDK's: its text quotes the answer
        raise CallFailed("invalid_result", "The server's answer is no valid MCP result.") from error
