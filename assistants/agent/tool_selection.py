"""The tools of a run, where its assistant does not give its model all of them."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from strands import Agent
from strands.hooks import BeforeModelCallEvent, BeforeToolCallEvent, HookProvider, HookRegistry
from strands.types.content import Messages
from strands.types.tools import AgentTool

from assistants.agent import tool_search
from assistants.agent.strands_model import RunModel
from assistants.agent.tools import ClientTool, ServerTool, Toolbox
from assistants.events import ToolsSelected
from assistants.selection.budget import SelectedTool
from assistants.selection.context import SelectionContext
from assistants.selection.retriever import Retriever
from assistants.selection.tool_search import ToolSearch

log = logging.getLogger(__name__)

Emit = Callable[[ToolsSelected], None]


def equip(
    agent: Agent, model: RunModel, context: SelectionContext, client_tools: Sequence[ClientTool], emit: Emit
) -> None:
    """Give the agent its tools, or have them chosen before each round."""
    if context.assistant.selection == "search":
        # A model may call by its name what it found, or called in an earlier turn.
        untold = context.assistant.by_name
        agent.tool_registry = Toolbox(
            [*_searching(context, client_tools, emit), *client_tools], untold=untold
        )
    else:
        agent.tool_registry = Toolbox(client_tools)
        agent.hooks.add_hook(Choosing(Retriever(context), model, client_tools, emit))


class Choosing(HookProvider):
    """Chooses before each call of the model that may lead to calls of tools."""

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
        said, called = _last_round(event.agent.messages)
        theirs = {tool.tool_name for tool in self._client_tools}
        choice = await self._retriever.select(said, [name for name in called if name not in theirs])
        if choice is not None:
            self._emit(choice.event)
            event.agent.tool_registry = Toolbox([*_ours(choice.in_stable_order), *self._client_tools])

    def _before_call(self, event: BeforeToolCallEvent) -> None:
        """A guess at the arguments of a tool that the model was not told of is not tried."""
        ours = self._retriever.context.assistant.by_name
        if event.selected_tool is None and event.tool_use["name"] in ours:
            event.cancel_tool = "Not called: it was not among your tools. If it is now, call it again."


def _searching(
    context: SelectionContext, client_tools: Sequence[ClientTool], emit: Emit
) -> Sequence[AgentTool]:
    lookup = ToolSearch(context)
    found = tool_search.tools(lookup, [tool.tool_name for tool in client_tools])
    if len(found) > context.max_tools:
        log.warning("Beside the caller's there is no room for the tools of %s.", context.assistant.slug)
        return ()
    choice = lookup.initial([tool.definition for tool in found])
    emit(choice.event)
    return [*_ours(choice.in_stable_order), *found]


def _ours(tools: Iterable[SelectedTool]) -> list[ServerTool]:
    return [ServerTool(tool.function, tool.definition) for tool in tools]


def _last_round(messages: Messages) -> tuple[str, Collection[str]]:
    """What the model said, and the names that it called, since the user last spoke."""
    for message in reversed(messages):
        blocks = message["content"]
        if message["role"] == "assistant":
            texts = [block["text"] for block in blocks if "text" in block]
            return "\n".join(texts), [block["toolUse"]["name"] for block in blocks if "toolUse" in block]
        if not any("toolResult" in block for block in blocks):
            break
    return "", ()
