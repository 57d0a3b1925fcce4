"""Of an assistant whose model looks for its tools itself: the tool that finds, and the one that calls."""

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

import orjson
from strands.types.events import ToolResultEvent
from strands.types.tools import ToolUse

from assistants.agent import tool_results
from assistants.agent.messages import tool_input
from assistants.agent.tools import ServerTool, SpecifiedTool
from assistants.catalogue.definitions import Definition
from assistants.catalogue.entries import AssistantEntry, FunctionEntry
from assistants.selection import meta_tools
from assistants.selection.context import ToolSelection
from assistants.selection.tool_search import ToolSearch

_NOT_SEARCHED = "Nothing was found for this query. These are the first tools by name."


def tools(lookup: ToolSearch, client_names: Collection[str]) -> tuple["SearchTool", "CallTool"]:
    """Under names that no other tool of the run has."""
    assistant = lookup.context.assistant
    taken = {*client_names, *assistant.by_name}
    search, call = (
        meta_tools.free_name(meta_tools.SEARCH, taken),
        meta_tools.free_name(meta_tools.CALL, taken),
    )
    found = meta_tools.search_definition(search, limit=min(assistant.top_k, meta_tools.MOST_FOUND), call=call)
    called = meta_tools.call_definition(call, search=search)
    return SearchTool(found, lookup), CallTool(called, assistant, search, client_names)


class SearchTool(SpecifiedTool):
    def __init__(self, definition: Definition, lookup: ToolSearch) -> None:
        super().__init__(definition)
        self._lookup = lookup

    async def stream(self, tool_use: ToolUse, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        """ToolsSelected, and what was found, for the model."""
        call_id, given = tool_use["toolUseId"], tool_use["input"]
        text = given.get("query") if isinstance(given, dict) else None
        if not isinstance(text, str) or not text.strip():
            yield ToolResultEvent(tool_results.error(call_id, "Give a query: what the tool should do."))
            return
        limit = given.get("limit")
        top_k = self._lookup.context.assistant.top_k
        choice = await self._lookup.search(text, limit if isinstance(limit, int) else top_k)
        yield choice.event
        yield ToolResultEvent(tool_results.success(call_id, _found(choice)))


class CallTool(SpecifiedTool):
    """Calls a function of an MCP server just as if the model had called it itself."""

    def __init__(
        self, definition: Definition, assistant: AssistantEntry, search: str, client_names: Collection[str]
    ) -> None:
        super().__init__(definition)
        self._assistant = assistant
        self._search = search
        self._client_names = client_names

    async def stream(self, tool_use: ToolUse, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        """As of the tool that is called."""
        given = tool_use["input"]
        asked: Mapping[str, Any] = given if isinstance(given, dict) else {}
        function = _function(self._assistant, asked.get("name"))
        if function is None:
            yield ToolResultEvent(tool_results.error(tool_use["toolUseId"], self._refusal(asked.get("name"))))
            return
        real: ToolUse = {**tool_use, "name": function.public_name, "input": _arguments(asked)}
        async for event in ServerTool(function).stream(real):
            yield event

    def _refusal(self, name: Any) -> str:
        if name in self._client_names:
            return f"Call {name} itself, not by {self.tool_name}."
        return f"There is no tool {str(name)[:64]!r}. Find one with {self._search}, and call it by its name."


def _function(assistant: AssistantEntry, name: Any) -> FunctionEntry | None:
    return assistant.by_name.get(name) if isinstance(name, str) else None


def _arguments(asked: Mapping[str, Any]) -> Any:
    """Some models write an object as a text."""
    given = asked.get("arguments") or {}
    return tool_input(given) if isinstance(given, str) else given


def _found(choice: ToolSelection) -> str:
    found = {"tools": [tool.definition["function"] for tool in choice.tools]}
    if not found["tools"]:
        return "No tool was found."
    is_searched = any(each.reason == "ranked" for each in choice.event.candidates)
    return orjson.dumps(found if is_searched else found | {"note": _NOT_SEARCHED}).decode()
