"""What became of a call of a tool, as a code and as text: the same for all who call tools.

A code is "" for success, one of `connector.errors.FailureCode`, or one of those below.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from connector.errors import CallFailed, ServerError
from tools.arguments import InvalidArguments

INVALID_ARGUMENTS = "invalid_arguments"
"""The arguments do not fit the tool's schema: its server was not asked."""
TOOL_ERROR = "tool_error"
"""The tool ran and reports a failure, or its server answered with an error of its own."""
INTERNAL_ERROR = "internal_error"


def code_of(result: Mapping[str, Any]) -> str:
    """`result`: wire JSON of an MCP server."""
    return TOOL_ERROR if result.get("isError") is True else ""


def code_of_failure(failure: Exception) -> str:
    match failure:
        case CallFailed():
            return failure.code
        case InvalidArguments():
            return INVALID_ARGUMENTS
        case ServerError():
            return TOOL_ERROR
    return INTERNAL_ERROR


def text_of(result: Mapping[str, Any]) -> str:
    """Returns the texts of a result, which is wire JSON; without any, its structured content."""
    texts = "\n".join(_texts(result.get("content")))
    structured = result.get("structuredContent")
    return texts if texts or structured is None else orjson.dumps(structured).decode()


def _texts(content: Any) -> Iterator[str]:
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and isinstance(block.get("text"), str):
            yield block["text"]
