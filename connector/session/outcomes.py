"""The meaning of a server's answer, or of its failure to give one, for the caller."""

from typing import Any

from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, PARSE_ERROR

from connector.errors import CallFailed, SessionLost
from connector.session.challenges import INSUFFICIENT_SCOPE
from connector.session.limits import OUTPUT_TOO_LARGE, TOO_LARGE_TEXT
from connector.wire.results import CallResult, PromptResult

RESOURCE_NOT_FOUND = -32002
EXCERPT = 200
_ASKS_FOR_INPUT = "The tool asks for input from a person, which cannot be given here."


def lost(error: MCPError) -> SessionLost:
    """Returns what the error means for a request that every healthy session must answer."""
    if error.code == CONNECTION_CLOSED:
        return SessionLost("The server closed the connection.")
    return SessionLost(f"The server answered with an error: {error.message[:EXCERPT]}")


def call_result(result: dict[str, Any]) -> CallResult:
    """Returns a call's result. A tool that asks a person for input (`input_required`) has failed.

    That is a result and no CallFailed: the model can read it, and go on without the tool.
    """
    if result.get("resultType", "complete") != "complete":
        return CallResult([{"type": "text", "text": _ASKS_FOR_INPUT}], None, is_error=True)
    return CallResult(
        result.get("content", []), result.get("structuredContent"), is_error=bool(result.get("isError"))
    )


def prompt_result(result: dict[str, Any]) -> PromptResult:
    """Raises CallFailed if the server asks for input instead."""
    return PromptResult(result.get("description") or "", require_complete(result)["messages"])


def require_complete(result: dict[str, Any]) -> dict[str, Any]:
    """Returns `result` itself. Raises CallFailed if the server asks for input instead."""
    if result.get("resultType", "complete") != "complete":
        raise CallFailed("refused", "The server asks for input from a person, which cannot be given here.")
    return result


def failed_call(error: MCPError) -> CallResult:
    """Returns the error that a server gives for a call as a result: the model is to read it.

    Raises what `require_session` raises.
    """
    require_session(error)
    return CallResult([{"type": "text", "text": error.message}], None, is_error=True)


def failed_read(error: MCPError) -> CallFailed:
    """Returns the failure of a read. Raises what `require_session` raises."""
    require_session(error)
    # Servers disagree about the code for a resource or a prompt that does not exist.
    unknown = error.code in {RESOURCE_NOT_FOUND, INVALID_PARAMS, METHOD_NOT_FOUND}
    return CallFailed("not_found" if unknown else "refused", f"The server said: {error.message[:EXCERPT]}")


def require_connection(error: MCPError) -> None:
    """Raises SessionLost if the transport has ended: everything else leaves the session as it was."""
    if error.code == CONNECTION_CLOSED:
        raise SessionLost("The server ended during the call.") from error


def require_session(error: MCPError) -> None:
    """Raises SessionLost or CallFailed if the error is the transport's, not the server's answer.

    TolerantDispatcher keeps these codes for the transport.
    """
    require_connection(error)
    if error.code == INSUFFICIENT_SCOPE:
        raise CallFailed("refused", error.message[: 2 * EXCERPT]) from error
    # A JSON body that CappedTransport cut off reaches us as the SDK's parse error, with our text in it.
    if error.code == OUTPUT_TOO_LARGE or (error.code == PARSE_ERROR and TOO_LARGE_TEXT in error.message):
        raise CallFailed("output_too_large", "The result is too large.") from error
    if error.code == PARSE_ERROR:
        # With a text of ours: the SDK's quotes the answer, which may hold secrets.
        raise CallFailed("invalid_result", "The server's answer is no valid MCP result.") from error
