"""The meaning of a server's answer, or of its failure to give one, for the caller."""

from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, PARSE_ERROR

from connector.errors import CallFailed, SessionLost
from connector.session.challenges import INSUFFICIENT_SCOPE
from connector.session.limits import OUTPUT_TOO_LARGE, TOO_LARGE_TEXT
from core.message import Message

EXCERPT = 200


def lost(error: MCPError) -> SessionLost:
    """Returns what the error means for a request that every healthy session must answer."""
    if error.code == CONNECTION_CLOSED:
        return SessionLost(Message("The server closed the connection."))
    return SessionLost(Message("The server answered with an error: %(error)s", error=error.message[:EXCERPT]))


def require_connection(error: MCPError) -> None:
    """Raises SessionLost if the transport has ended: everything else leaves the session as it was."""
    if error.code == CONNECTION_CLOSED:
        raise SessionLost(Message("The server ended during the call.")) from error


def require_session(error: MCPError) -> None:
    """Raises SessionLost or CallFailed if the error is the transport's, not the server's answer.

    TolerantDispatcher keeps these codes for the transport.
    """
    require_connection(error)
    if error.code == INSUFFICIENT_SCOPE:
        raise CallFailed("refused", error.message[: 2 * EXCERPT]) from error
    # A JSON body that CappedTransport cut off reaches us as the SDK's parse error, with our text in it.
    if error.code == OUTPUT_TOO_LARGE or (error.code == PARSE_ERROR and TOO_LARGE_TEXT in error.message):
        raise CallFailed("output_too_large", Message("The result is too large.")) from error
    if error.code == PARSE_ERROR:
        # With a text of ours: the SDK's quotes the answer, which may hold secrets.
        raise CallFailed("invalid_result", Message("The server's answer is no valid MCP result.")) from error
