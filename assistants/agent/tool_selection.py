"""The tools of a run whose assistant does not give its model all of them."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from strands.hooks import BeforeModelCallEvent, BeforeToolCallEvent, HookProvider, HookRegistry
from strands.types.content import Messages
from strands.types.tools import AgentTool

from assistants.agent import tool_search
from assistants.agent.run_model import RunModel
from assistants.agent.tools import ClientTool, ServerTool, Toolbox, server_tool
from assistants.catalogue.entries import AssistantEntry
from assistants.events import ToolsSelected
from assistants.selection.budget import SelectedTool
from assistants.selection.context import SelectionContext
from assistants.selection.retriever import Retriever
from assistants.selection.tool_search import ToolSearch

log = logging.getLogger(__name__)

Emit = Callable[[ToolsSelected], None]


def searched(context: SelectionContext, client_tools: Sequence[ClientTool], emit: Emit) -> Toolbox:
    """Returns the tools with which the model searches for others."""
    # Whatever a search found, or an earlier turn called, the model may call by its name.
    tools = [*_initial_tools(context, client_tools, emit), *client_tools]
    return Toolbox(tools, unlisted=context.assistant)


class SelectBeforeRound(HookProvider):
    """Selects tools before each call of the model that may lead to calls of tools."""

    def __init__(
        self, retriever: Retriever, model: RunModel, client_tools: Sequence[ClientTool], emit: Emit
    ) -> None:
        self._retriever = retriever
        self._model = model
        self._client_tools = client_tools
        self._emit = emit

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(BeforeModelCallEvent, self._before_round)
        registry.add_callback(BeforeToolCallEvent, self._before_call)

    async def _before_round(self, event: BeforeModelCallEvent) -> None:
        if not self._model.offers_tools:
            return
        text, called = _last_round(event.agent.messages)
        client_names = {tool.tool_name for tool in self._client_tools}
        selection = await self._retriever.select(text, [name for name in called if name not in client_names])
        if selection is not None:
            self._emit(selection.event)
            tools = _server_tools(self._retriever.context.assistant, selection.in_stable_order)
            event.agent.tool_registry = Toolbox([*tools, *self._client_tools])

    def _before_call(self, event: BeforeToolCallEvent) -> None:
        """Refuse a call of a tool whose definition the model has not seen: its arguments are a guess."""
        by_name = self._retriever.context.assistant.by_name
        if event.selected_tool is None and event.tool_use["name"] in by_name:
            # The retriever adds what the model called by name, so the next round does have it.
            event.cancel_tool = "Not called: it was not among your tools. If it is now, call it again."


def _initial_tools(
    context: SelectionContext, client_tools: Sequence[ClientTool], emit: Emit
) -> Sequence[AgentTool]:
    search = ToolSearch(context)
    meta_tools = tool_search.tools(search, [tool.tool_name for tool in client_tools])
    if len(meta_tools) > context.max_tools:
        log.warning("Beside the caller's there is no room for the tools of %s.", context.assistant.slug)
        return ()
    selection = search.initial([tool.definition for tool in meta_tools])
    emit(selection.event)
    return [*_server_tools(context.assistant, selection.in_stable_order), *meta_tools]


def _server_tools(assistant: AssistantEntry, tools: Iterable[SelectedTool]) -> list[ServerTool]:
    return [server_tool(assistant, tool.function, is_lean=tool.is_lean) for tool in tools]


def _last_round(messages: Messages) -> tuple[str, Collection[str]]:
    """Returns the model's text and the names that it called in the last round since the user's message."""
    for message in reversed(messages):
        blocks = message["content"]
        if message["role"] == "assistant":
            texts = [block["text"] for block in blocks if "text" in block]
            return "\n".join(texts), [block["toolUse"]["name"] for block in blocks if "toolUse" in block]
        if not any("toolResult" in block for block in blocks):
            break
    return "", ()
