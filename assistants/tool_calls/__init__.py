"""Calls of tools that no model asks for: by MCP clients, and over REST. Each is on the record."""

from assistants.tool_calls.asked import Asked
from assistants.tool_calls.calls import Target, call, request

__all__ = ["Asked", "Target", "call", "request"]
