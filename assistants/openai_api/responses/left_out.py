"""What a request asks for that is left out, in words for people: `mcp_connector.warnings` of its response."""

from collections.abc import Iterator
from typing import Any

from assistants.openai_api.responses.input_items import AdditionalTools, IgnoredItem
from assistants.openai_api.responses.request import ResponseRequest
from assistants.openai_api.responses.tools import OtherTool, Tool

_SHOWN = 64


def extension(params: ResponseRequest) -> dict[str, Any]:
    """Returns the field of `mcp_connector`, or {} where nothing was left out."""
    messages: dict[str, str] = {}
    for param, message in _warnings(params):
        messages.setdefault(message, param)  # of many of a kind, the first one
    if not messages:
        return {}
    return {"warnings": [{"param": param, "message": message} for message, param in messages.items()]}


def _warnings(params: ResponseRequest) -> Iterator[tuple[str, str]]:
    """Yields the path of a field in the request, and what became of it."""
    for index, tool in enumerate(params.tools or ()):
        yield from _of_tool(f"tools[{index}]", tool)
    for index, item in enumerate(params.input if isinstance(params.input, list) else ()):
        if isinstance(item, IgnoredItem):
            yield f"input[{index}]", f"Left out: items of type '{item.type}' say nothing to the models here."
        elif isinstance(item, AdditionalTools):
            for number, tool in enumerate(item.tools):
                yield from _of_tool(f"input[{index}].tools[{number}]", tool)
    for index, name in enumerate(params.include or ()):
        yield f"include[{index}]", f"Not included: '{name[:_SHOWN]}' is not part of an answer here."


def _of_tool(param: str, tool: Tool) -> Iterator[tuple[str, str]]:
    if isinstance(tool, OtherTool):
        yield param, f"Not offered: tools of type '{tool.type[:_SHOWN]}' are run by OpenAI alone."
