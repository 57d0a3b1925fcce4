"""Answers that break JSON-RPC or MCP: turned into an error for the request that they answer.

Without it such a request would wait for its deadline, although its answer has come.
"""

import secrets
from typing import Any

from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError

from core.repaired_json import loads, repaired

BY_TRANSPORT = secrets.token_hex(16)
"""The `data` of errors that stand in for an answer: no server can guess it."""
UNREADABLE_TEXT = "The answer cannot be read"


def messages(line: bytes) -> list[Any]:
    """Returns the JSON-RPC messages in a line: one, those of a batch (MCP 2025-03-26), or none."""
    try:
        return [jsonrpc_message_adapter.validate_json(line, by_name=False)]
    except (ValidationError, RecursionError):
        return _repaired(line)


def error_for(request_id: Any, code: int, text: str) -> JSONRPCError:
    return JSONRPCError(
        jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=text, data=BY_TRANSPORT)
    )


def _repaired(line: bytes) -> list[Any]:
    try:
        # An invalid byte in a text costs that byte, and half of a surrogate pair costs that half: U+FFFD
        # stands in for them (Unicode 17, section 3.9).
        value = repaired(loads(line))
    except ValueError:
        return []
    entries = value if isinstance(value, list) else [value]
    return [message for entry in entries if (message := _message(entry)) is not None]


def _message(value: Any) -> Any:
    """Returns the message; for an answer that is none, the error for its request; None for anything else."""
    if not isinstance(value, dict):
        return None
    try:
        return jsonrpc_message_adapter.validate_python(value, by_name=False)
    except (ValidationError, RecursionError):
        request_id = _answered(value)
        return None if request_id is None else error_for(request_id, PARSE_ERROR, UNREADABLE_TEXT)


def answered_request(error: Exception) -> int | str | None:
    """Returns the id of the request that an unreadable message answers; None if it answers none.

    An answer is no request for want of a `method`, and that complaint of Pydantic's holds the whole message.
    """
    if not isinstance(error, ValidationError):
        return None
    inputs = [each["input"] for each in error.errors(include_url=False) if each["type"] == "missing"]
    return next((_answered(value) for value in inputs if isinstance(value, dict)), None)


def _answered(message: dict[str, Any]) -> int | str | None:
    """Returns the id of the request that a message answers, if it means to be an answer."""
    request_id = message.get("id")
    if "method" in message or not ("result" in message or "error" in message):
        return None
    # JSON-RPC 2.0, section 4: an id is a string or a number. A bool is an int in Python.
    is_id = isinstance(request_id, int | str) and not isinstance(request_id, bool)
    return request_id if is_id else None
