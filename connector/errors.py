"""The errors of the connector.

CallFailed            a tool call that did not come to a result; `code` is for programs, `message` for people
  MayHaveRun          one that was cut off on its way
ServerError           a server's own JSON-RPC error in answer to a request
AskedBack             a server that asks its client back during a call, which waits for the answer
SessionLost           a session that could not be opened or cannot be used any more
  SessionExpired      the server does not know it any more: a new one can be opened at once
  LoginRequired       the server accepts no credentials that are stored
  ProtocolMismatch    there is no protocol version that both sides speak
Unresponsive          a server that missed its health checks
VariableMissing       settings refer to variables that the server's environment does not hold
NotForClients         settings refer to what only an MCP client knows
"""

from typing import Any, Literal

FailureCode = Literal[
    "tool_timeout",
    "server_unavailable",
    "server_restarting",
    "output_too_large",
    "overloaded",
    "unknown_tool",
    "invalid_result",
    "not_found",
    "refused",
    "stale_fence",
    "session_lost",
]


class CallFailed(Exception):
    """`message` is for people.

    Two codes stay between workers and `connector.client.retry`: `stale_fence`, refused before anything ran,
    and `session_lost`, when the server may have begun.
    """

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MayHaveRun(CallFailed):
    """The connection broke after the request was sent: nobody knows whether the server has carried it out."""


class ServerError(Exception):
    """The JSON-RPC error that a server answered with: `code`, `message` and `data` are its own."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class AskedBack(Exception):
    """`requests`: `{name: {"method": .., "params": ..}}`. The call goes on in the worker that holds a slot.

    It stays between workers and `connector.client.requests`.
    """

    def __init__(self, requests: dict[str, Any], slot: int, fence: int, call: str) -> None:
        super().__init__(f"{len(requests)} questions")
        self.requests = requests
        self.slot = slot
        self.fence = fence
        self.call = call


class InvalidState(CallFailed):
    """The state with which a client goes on with a request is not ours, or of another server or key."""

    def __init__(self, message: str) -> None:
        super().__init__("refused", message)


class SessionLost(Exception):
    """The session with a server ended or could not be opened. The text is for people and holds no secret."""


class SessionExpired(SessionLost):
    """The server answers and does not know the session (HTTP 404)."""


class LoginRequired(SessionLost):
    """A person has to log in, or the server refuses the stored credentials."""


class ProtocolMismatch(SessionLost):
    """The server speaks no protocol version that we speak."""


class Unresponsive(Exception):
    """A server missed its health checks. The text is for people."""


def innermost(error: BaseException) -> BaseException:
    """Returns the cause: the task groups of the transports wrap it in exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class VariableMissing(Exception):
    """Its text is for people."""


class NotForClients(Exception):
    """Its text is for people."""
