"""Calls of tools that no model asks for: by MCP clients, and over REST. Each is on the record."""

from assistants.tool_calls.asked import Asked
from assistants.tool_calls.called import Called
from assistants.tool_calls.calls import Answer, Target, call, give_up, read, request
from assistants.tool_calls.not_called import ApprovalPending, NotCalled
from assistants.tool_calls.reading import NotRead

__all__ = [
    "Answer",
    "ApprovalPending",
    "Asked",
    "Called",
    "NotCalled",
    "NotRead",
    "Target",
    "call",
    "give_up",
    "read",
    "request",
]
