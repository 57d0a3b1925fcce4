"""The tools that the model of a run is offered, and what selects them before each round."""

import logging
from collections.abc import Callable, Mapping, Sequence
from weakref import WeakKeyDictionary

from strands.hooks import HookProvider

from assistants.agent import tool_selection
from assistants.agent.run_model import RunModel
from assistants.agent.run_request import RunRequest
from assistants.agent.tool_selection import SelectBeforeRound
from assistants.agent.tools import ClientTool, ServerTool, Toolbox, server_tools
from assistants.catalogue.entries import AssistantEntry
from assistants.events import RunEvent, UnavailableTool
from assistants.selection import query, used_tools
from assistants.selection.context import SelectionContext
from assistants.selection.retriever import Retriever

log = logging.getLogger(__name__)

MOST_TOOLS = 128
"""LLM services refuse more."""
_NO_TOOLS = Toolbox(())
_toolboxes: WeakKeyDictionary[AssistantEntry, Toolbox] = WeakKeyDictionary()
"""Of runs with all tools of their assistant, and no others."""


def equipment(
    request: RunRequest,
    unavailable: Mapping[int, UnavailableTool],
    model: RunModel,
    emit: Callable[[RunEvent], None],
) -> tuple[Toolbox, Sequence[HookProvider]]:
    """Returns all the tools, or those with which selecting begins, and what goes on with it.

    Without tools and hooks the model is offered none in any round.
    """
    if request.assistant.selection == "all" or request.tool_choice == "none":
        return _all_tools(request, unavailable), ()
    context = _selection_context(request, unavailable)
    client_tools = _client_tools(request)
    if request.assistant.selection == "search":
        return tool_selection.searched(context, client_tools, emit), ()
    selecting = SelectBeforeRound(Retriever(context), model, client_tools, emit)
    return Toolbox(client_tools), [selecting]


def _all_tools(request: RunRequest, unavailable: Mapping[int, UnavailableTool]) -> Toolbox:
    if request.tool_choice == "none":
        return _NO_TOOLS
    if request.client_tools or unavailable:
        return Toolbox([*_own_tools(request, unavailable), *_client_tools(request)])
    if (tools := _toolboxes.get(request.assistant)) is None:
        tools = _toolboxes[request.assistant] = Toolbox(_own_tools(request, unavailable))
    return tools


def _own_tools(request: RunRequest, unavailable: Mapping[int, UnavailableTool]) -> list[ServerTool]:
    """Returns the assistant's tools, as many as may stand beside the caller's."""
    own = [tool for tool in server_tools(request.assistant) if tool.server_id not in unavailable]
    capacity = MOST_TOOLS - len(request.client_tools)
    if len(own) > capacity:
        log.warning("Of %d tools of %s the model is offered %d.", len(own), request.assistant.slug, capacity)
    return own[:capacity]


def _client_tools(request: RunRequest) -> list[ClientTool]:
    return [*map(ClientTool, request.client_tools)]


def _selection_context(request: RunRequest, unavailable: Mapping[int, UnavailableTool]) -> SelectionContext:
    assistant, messages = request.assistant, request.messages
    return SelectionContext(
        assistant,
        {server.id for server in assistant.servers} - unavailable.keys(),
        query.from_messages(messages),
        max_tools=MOST_TOOLS - len(request.client_tools),
        used=[*used_tools.used(messages, assistant), *request.used],
        forced=request.forced,
    )
