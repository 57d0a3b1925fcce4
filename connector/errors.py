"""
CallFailed            a tool call that did not come to a result; `code` is for programs, `message` for people
SessionLost           a session that could not be opened or cannot be used any more
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
    "stale_fence",
]


class CallFailed(Exception):
    """`stale_fence` stays between workers and `connector.calls`, which routes anew."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SessionLost(Exception):
    """The session with a server ended or could not be opened. The text is for people and holds no secret."""


class ProtocolMismatch(SessionLost):
    """The server speaks no protocol version that we speak."""


class Unresponsive(Exception):
    """The text is for people."""


def innermost(error: BaseException) -> BaseException:
    """The cause in the groups that the transports' task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
