"""
CallFailed            a tool call that did not come to a result; `code` is for programs, `message` for people
SessionLost           a session that could not be opened or cannot be used any more
  SessionExpired      the server has forgotten it: a new one can be opened at once
  LoginRequired       the server lets nobody in whom it does not know
  ProtocolMismatch    there is no protocol version that both sides speak
Unresponsive          a server that missed its health checks
"""

from typing import Literal

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

    Two codes stay between workers and `connector.calls`: `stale_fence`, refused before anything ran, which is
    routed anew, and `session_lost`, when the server may have begun.
    """

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SessionLost(Exception):
    """The session with a server ended or could not be opened. The text is for people and holds no secret."""


class SessionExpired(SessionLost):
    """The server answers, and knows nothing of the session (HTTP 404)."""


class LoginRequired(SessionLost):
    """Somebody has to log in, or the credentials are refused."""


class ProtocolMismatch(SessionLost):
    """The server speaks no protocol version that we speak."""


class Unresponsive(Exception):
    """The text is for people."""


def innermost(error: BaseException) -> BaseException:
    """The cause in the groups that the transports' task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
