"""One request to an assistant: rounds of model and tools, told as events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from django.conf import settings
from strands import Agent
from strands.agent.conversation_manager import NullConversationManager
from strands.types.content import Messages
from strands.types.exceptions import EventLoopException
from strands.types.tools import AgentTool

from assistants import response_formats
from assistants.agent import messages as history
from assistants.agent.cancellation import CancelScope
from assistants.agent.llm.chat_messages import to_transcript
from assistants.agent.llm.failover import sources
from assistants.agent.llm.http import Upstream, connected
from assistants.agent.strands_model import RunModel
from assistants.agent.structured_output import formatted
from assistants.agent.tool_selection import equip
from assistants.agent.tools import ClientTool, Toolbox, server_tools
from assistants.agent.turn_rules import TurnRules
from assistants.catalogue.entries import AssistantEntry
from assistants.errors import UpstreamFailed
from assistants.events import (
    ClientToolCall,
    ClientToolCalls,
    Finished,
    RunEvent,
    TextDelta,
    ToolStarted,
    UnavailableTool,
    Usage,
)
from assistants.selection import query, used_tools
from assistants.selection.context import SelectionContext
from connector.client import routes


@dataclass(frozen=True, slots=True)
class RunRequest:
    """`messages`: OpenAI chat messages that the door has validated. `parameters` override the assistant's.

    `used`: public names of tools that the conversation has used, beside those that the messages tell of.
    """

    assistant: AssistantEntry
    messages: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    client_tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    used: Sequence[str] = ()

    @property
    def forced(self) -> str:
        """The tool that `tool_choice` names, or ""."""
        choice = self.tool_choice
        return str(choice["function"]["name"]) if isinstance(choice, Mapping) else ""


log = logging.getLogger(__name__)

MOST_TOOLS = 128
"""LLM services refuse more."""
Emit = Callable[[RunEvent], None]
_upstream: Upstream | None = None


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Runs are possible, in this event loop, for as long as the context lasts."""
    global _upstream  # noqa: PLW0603 - one connection pool a process
    async with connected() as _upstream:
        try:
            yield
        finally:
            _upstream = None


async def run(request: RunRequest, scope: CancelScope | None = None) -> AsyncGenerator[RunEvent, None]:
    """The events of a run. Closing the generator cancels the model's call and the running tools.

    Raises UpstreamFailed, before or after the first event, InvalidMessages before it, and the reason that
    `scope` is cancelled for.
    """
    # In a task of its own: a caller may wait for each event in another one, and a deadline or tracing context
    # must end where it began. The queue has no bound, so that a cancellation always meets the innermost wait;
    # what a run can say is bounded by the limits on an upstream's answer.
    events: asyncio.Queue[RunEvent | BaseException | None] = asyncio.Queue()
    task = asyncio.create_task(_drive(request, events.put_nowait))
    task.add_done_callback(lambda task: events.put_nowait(None if task.cancelled() else task.exception()))
    if scope is not None:
        scope.on_cancel(events.put_nowait)
    try:
        while (event := await events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _drive(request: RunRequest, emit: Emit) -> None:
    deadline = asyncio.timeout(settings.RUN_DEADLINE_S)
    try:
        async with deadline:
            await _run(request, emit)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise UpstreamFailed("upstream_timeout", "The run took too long and was ended.") from error
    except EventLoopException as error:
        raise error.original_exception from error


async def _run(request: RunRequest, emit: Emit) -> None:
    unavailable = await _unavailable(request.assistant)
    model = _model(request)
    rules = TurnRules()
    agent = _agent(request, model, unavailable, rules)
    _equip(agent, model, request, unavailable, emit)
    before = len(agent.messages)
    if wanted := response_formats.requested(request.parameters.get("response_format")):
        await formatted(_loop, agent, model, emit, wanted)
    else:
        await _loop(agent, model, emit)
    calls = _client_calls(request, model)
    if calls:
        emit(ClientToolCalls(calls, _hidden(agent.messages[before:], rules, model)))
    emit(Usage(model.prompt_tokens, model.completion_tokens))
    reason = "tool_calls" if calls else model.finish_reason
    emit(Finished(reason, model.rounds, tuple(unavailable.values())))


async def _loop(agent: Agent, model: RunModel, emit: Emit) -> None:
    """Rounds of model and tools. The texts of two rounds are kept apart by a blank line."""
    spoken_in, end = 0, ""
    async with aclosing(cast(AsyncGenerator[dict[str, Any], None], agent.stream_async())) as stream:
        async for event in stream:
            if "data" in event:
                text = event["data"]
                if spoken_in not in (0, model.rounds) and not (end.isspace() or text[0].isspace()):
                    emit(TextDelta("\n\n"))
                spoken_in, end = model.rounds, text[-1]
                emit(TextDelta(text))
            elif "tool_stream_event" in event:
                data = event["tool_stream_event"]["data"]
                if isinstance(data, ToolStarted):
                    emit(Usage(model.prompt_tokens, model.completion_tokens))
                emit(data)


async def _unavailable(assistant: AssistantEntry) -> dict[int, UnavailableTool]:
    """By server id."""
    names = {server.id: server.name for server in assistant.servers}
    availability = await routes.availability(names) if names else {}
    return {
        server_id: UnavailableTool(names[server_id], problem.reason)
        for server_id, problem in availability.items()
        if problem is not None
    }


def _model(request: RunRequest) -> RunModel:
    if _upstream is None:
        raise RuntimeError("Runs need assistants.agent.lifespan().")
    assistant = request.assistant
    return RunModel(
        *sources(_upstream, assistant, request.parameters),
        tool_choice=request.tool_choice,
        max_rounds=assistant.max_rounds,
    )


def _agent(
    request: RunRequest,
    model: RunModel,
    unavailable: Mapping[int, UnavailableTool],
    rules: TurnRules,
) -> Agent:
    assistant = request.assistant
    return Agent(
        model=model,
        messages=history.to_strands(request.messages),
        system_prompt=history.system_prompt(
            assistant.system_prompt, _notice(unavailable), messages=request.messages
        ),
        callback_handler=None,
        conversation_manager=NullConversationManager(),
        retry_strategy=None,
        hooks=[rules],
    )


def _equip(
    agent: Agent,
    model: RunModel,
    request: RunRequest,
    unavailable: Mapping[int, UnavailableTool],
    emit: Emit,
) -> None:
    """Give the agent its tools, or have them chosen."""
    if request.assistant.selection == "all" or request.tool_choice == "none":
        agent.tool_registry = Toolbox(_tools(request, unavailable))
        return
    context = _selection_context(request, unavailable)
    equip(agent, model, context, [*map(ClientTool, request.client_tools)], emit)


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


def _notice(unavailable: Mapping[int, UnavailableTool]) -> str:
    if not unavailable:
        return ""
    servers = "; ".join(f"{tool.server} ({tool.reason})" for tool in unavailable.values())
    line = f"These tool servers are unavailable now; where they are needed, say so in your answer: {servers}"
    return " ".join(line.split())


def _tools(request: RunRequest, unavailable: Mapping[int, UnavailableTool]) -> list[AgentTool]:
    if request.tool_choice == "none":
        return []
    ours = [tool for tool in server_tools(request.assistant) if tool.server_id not in unavailable]
    room = MOST_TOOLS - len(request.client_tools)
    if len(ours) > room:
        log.warning("Of %d tools of %s the model is offered %d.", len(ours), request.assistant.slug, room)
    return [*ours[:room], *(ClientTool(definition) for definition in request.client_tools)]


def _client_calls(request: RunRequest, model: RunModel) -> tuple[ClientToolCall, ...]:
    """The last turn's calls of the caller's tools, if it had any."""
    names = {definition["function"]["name"] for definition in request.client_tools}
    return tuple(
        ClientToolCall(call.id, call.name, call.arguments or "{}")
        for call in model.calls
        if call.name in names
    )


def _hidden(said: Messages, rules: TurnRules, model: RunModel) -> tuple[Mapping[str, Any], ...]:
    """What was said in the run, with the results of its last turn; nothing where no tool of ours ran."""
    results = [rules.results] if rules.results and rules.results["content"] else []
    if len(said) == 1 and not results:
        return ()
    return tuple(to_transcript([*said, *results], model.reasoning_field))
