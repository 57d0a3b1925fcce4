"""The meta-tools of an assistant whose model searches for its tools itself: one searches, one calls."""

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

import orjson
from strands.types.events import ToolResultEvent
from strands.types.tools import ToolUse

from assistants.agent import tool_results
from assistants.agent.messages import tool_input
from assistants.agent.tools import SpecifiedTool, server_tool
from assistants.catalogue.definitions import Definition
from assistants.catalogue.entries import AssistantEntry, FunctionEntry
from assistants.selection import meta_tools
from assistants.selection.context import ToolSelection
from assistants.selection.tool_search import ToolSearch

_NOT_SEARCHED = "Nothing was found for this query. These are the first tools by name."


def tools(search: ToolSearch, client_names: Collection[str]) -> tuple["SearchTool", "CallTool"]:
    """Returns the meta-tools, under names that no other tool of the run has."""
    assistant = search.context.assistant
    taken = {*client_names, *assistant.by_name}
    search_name = meta_tools.free_name(meta_tools.SEARCH, taken)
    call_name = meta_tools.free_name(meta_tools.CALL, taken)
    limit = min(assistant.top_k, meta_tools.MOST_FOUND)
    return (
        SearchTool(meta_tools.search_definition(search_name, limit=limit, call=call_name), search),
        CallTool(
            meta_tools.call_definition(call_name, search=search_name), assistant, search_name, client_names
        ),
    )


class SearchTool(SpecifiedTool):
    """Searches the assistant's tools, and answers with the definitions of those that it found."""

    def __init__(self, definition: Definition, search: ToolSearch) -> None:
        super().__init__(definition)
        self._search = search

    async def stream(self, tool_use: ToolUse, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        """Yields ToolsSelected, and the result for the model."""
        call_id, given = tool_use["toolUseId"], tool_use["input"]
        text = given.get("query") if isinstance(given, dict) else None
        if not isinstance(text, str) or not text.strip():
            yield ToolResultEvent(tool_results.error(call_id, "Give a query: what the tool should do."))
            return
        limit = given.get("limit")
        top_k = self._search.context.assistant.top_k
        selection = await self._search.search(text, limit if isinstance(limit, int) else top_k)
        yield selection.event
        yield ToolResultEvent(tool_results.success(call_id, _found(selection)))


class CallTool(SpecifiedTool):
    """Calls a tool of an MCP server just as if the model had called it itself."""

    def __init__(
        self,
        definition: Definition,
        assistant: AssistantEntry,
        search_name: str,
        client_names: Collection[str],
    ) -> None:
        super().__init__(definition)
        self._assistant = assistant
        self._search_name = search_name
        self._client_names = client_names

    async def stream(
        self, tool_use: ToolUse, invocation_state: Mapping[str, Any], **_: Any
    ) -> AsyncGenerator[Any, None]:
        """Yields what the called tool yields."""
        given = tool_use["input"]
        call: Mapping[str, Any] = given if isinstance(given, dict) else {}
        function = _function(self._assistant, call.get("name"))
        if function is None:
            yield ToolResultEvent(tool_results.error(tool_use["toolUseId"], self._refusal(call.get("name"))))
            return
        real: ToolUse = {**tool_use, "name": function.public_name, "input": _arguments(call)}
        async for event in server_tool(self._assistant, function).stream(real, invocation_state):
            yield event

    def _refusal(self, name: Any) -> str:
        if name in self._client_names:
            return f"Call {name} itself, not by {self.tool_name}."
        unknown = str(name)[:64]
        return f"There is no tool {unknown!r}. Find one with {self._search_name}, and call it by its name."


def _function(assistant: AssistantEntry, name: Any) -> FunctionEntry | None:
    return assistant.by_name.get(name) if isinstance(name, str) else None


def _arguments(call: Mapping[str, Any]) -> Any:
    # Some models write an object as a string of JSON.
    given = call.get("arguments") or {}
    return tool_input(given) if isinstance(given, str) else given


def _found(selection: ToolSelection) -> str:
    """Returns the definitions of the tools that were found, as JSON for the model."""
    found = {"tools": [tool.definition["function"] for tool in selection.tools]}
    if not found["tools"]:
        return "No tool was found."
    # Without a hit the first tools by name are listed, which the model must not mistake for hits.
    is_ranked = any(each.reason == "ranked" for each in selection.event.candidates)
    return orjson.dumps(found if is_ranked else found | {"note": _NOT_SEARCHED}).decode()
