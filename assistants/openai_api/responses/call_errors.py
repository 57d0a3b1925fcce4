"""The error of a call of our servers' tools, as an item of the type mcp_call shows it."""

from typing import Any

from connector.client import outcomes

_TIMED_OUT, _FAILED = -32001, -32000  # JSON-RPC leaves these numbers to implementations


def of(code: str | None, text: str) -> dict[str, Any]:
    """Returns the error as an MCP client sees it: the tool reported one, or the call had no result at all."""
    if code == outcomes.TOOL_ERROR:
        return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": text}]}
    number = _TIMED_OUT if code == "tool_timeout" else _FAILED
    return {"type": "mcp_protocol_error", "code": number, "message": text}
