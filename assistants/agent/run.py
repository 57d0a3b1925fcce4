"""`run`: one request to an assistant, as rounds of model and tools that emit events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from django.conf import settings
from strands.types.content import Messages
from strands.types.exceptions import EventLoopException

from assistants import response_formats
from assistants.agent import availability, held_answer, refusals
from assistants.agent import messages as history
from assistants.agent.cancellation import CancelScope
from assistants.agent.equipment import equipment
from assistants.agent.input_counter import Counted, InputCounter
from assistants.agent.llm import failover
from assistants.agent.llm.chat_messages import to_transcript
from assistants.agent.llm.client import LLMClient
from assistants.agent.llm.completion import Listeners, ignore_text
from assistants.agent.llm.http import ConnectionPool, connection_pool
from assistants.agent.loop import Loop
from assistants.agent.rounds import Rounds
from assistants.agent.run_gate import RunGate
from assistants.agent.run_model import RunModel
from assistants.agent.run_request import RunRequest
from assistants.agent.single_call import SingleCall
from assistants.agent.structured_output import checked_answer
from assistants.agent.turn_rules import TurnRules
from assistants.errors import UpstreamFailed
from assistants.events import (
    ClientToolCall,
    ClientToolCalls,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    RunEvent,
    TextDelta,
)
from core import off_loop
from core.errors import ServerStopping
from core.message import Message

log = logging.getLogger(__name__)

_ENDING_S = 1.0
"""How long an answer that only waits may take to end, when its process ends."""
Emit = Callable[[RunEvent], None]
_pool: ConnectionPool | None = None


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Runs are possible, in this event loop, for as long as the context lasts."""
    global _pool  # noqa: PLW0603 - one connection pool a process
    async with connection_pool() as _pool:
        try:
            yield
        finally:
            _pool = None


async def run(request: RunRequest, scope: CancelScope | None = None) -> AsyncGenerator[RunEvent, None]:
    """Yields the events of a run. Closing the generator cancels the model's call and the running tools.

    Raises UpstreamFailed, before or after the first event, InvalidMessages before it, and the reason that
    `scope` is cancelled for.
    """
    # The run is a task of its own, and a queue connects it to this generator: a deadline inside a generator
    # would cancel whichever task waits for the next event, while that task is elsewhere (PEP 789), and hooks
    # of Strands, which have nothing to yield to, emit events too. The queue has no bound, so that a
    # cancellation always meets the innermost wait; the limits on an answer's size bound what a run can emit.
    events: asyncio.Queue[RunEvent | BaseException | None] = asyncio.Queue()
    gate = RunGate(request, events.put_nowait)
    task = asyncio.create_task(_with_deadline(request.narrowed(), events.put_nowait, gate))
    task.add_done_callback(lambda task: events.put_nowait(None if task.cancelled() else task.exception()))
    if scope is not None:
        scope.on_cancel(partial(_on_cancel, gate, events.put_nowait))
    try:
        while (event := await events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        task.cancel()
        await asyncio.wait([task])


def _on_cancel(gate: RunGate, put: Callable[[Exception], None], reason: Exception) -> None:
    """A process that ends does not fail an answer that only waits: it ends with what there is to say."""
    if isinstance(reason, ServerStopping) and gate.is_holding:
        gate.end_hold()
        asyncio.get_running_loop().call_later(_ENDING_S, put, reason)
    else:
        put(reason)


async def count_input(request: RunRequest) -> int:
    """Returns the tokens of what the model would be asked first, estimated as for a run's usage.

    Raises UpstreamFailed where the request takes too long, and InvalidMessages.
    """

    def ignore(_: RunEvent) -> None:
        """Nobody follows this run, which ends before it says anything."""

    counter = InputCounter()
    with suppress(Counted):
        await _with_deadline(request.narrowed(), ignore, RunGate(request, ignore), [counter])
    return counter.tokens


async def _with_deadline(
    request: RunRequest, emit: Emit, gate: RunGate, clients: Sequence[LLMClient] | None = None
) -> None:
    deadline = asyncio.timeout(settings.RUN_DEADLINE_S)
    try:
        async with deadline:
            await _run(request, emit, gate, clients)
    except TimeoutError as error:
        if not deadline.expired():  # a time-out of something inside the run
            raise
        raise UpstreamFailed("upstream_timeout", Message("The run took too long and was ended.")) from error
    except EventLoopException as error:  # Strands' wrapper around what the model or a hook raised
        raise error.original_exception from error


async def _run(request: RunRequest, emit: Emit, gate: RunGate, clients: Sequence[LLMClient] | None) -> None:
    """`clients`: of the services to ask; None: the assistant's."""
    for event in request.continued.events if request.continued else ():
        emit(event)
    requested_format = response_formats.requested(request.parameters.get("response_format"))
    if request.refusal:
        held_answer.refuse(request.refusal, emit, is_json=requested_format is not None)
        return
    unavailable = await availability.unavailable(request.assistant)
    listeners = _listeners(emit, emits_text=requested_format is None)
    model = _model(request, clients or await _clients(request), listeners)
    rules = TurnRules(gate, request.max_server_calls)
    messages = await off_loop.run(
        partial(history.to_strands, request.messages), size=history.image_characters(request.messages)
    )
    prompt = history.system_prompt(
        request.assistant.system_prompt, availability.notice(unavailable), messages=request.messages
    )
    before = len(messages)
    tools, selecting = equipment(request, unavailable, model, emit)
    rounds: Rounds
    if tools.registry or selecting:
        rounds = Loop(model, messages, prompt, tools=tools, hooks=[rules, *selecting], gate=gate, emit=emit)
    else:
        rounds = SingleCall(model, messages, prompt)
    await rounds.run()
    calls = _client_calls(request, model)
    is_held = gate.is_waiting and not calls
    if gate.is_waiting:
        new = rules.whole(rounds.messages[before:]) if calls else rounds.messages[before:-1]
        is_told, is_json = bool(calls) or not gate.awaits, requested_format is not None
        held_answer.emit(new, gate, model, emit, is_told=is_told, is_json=is_json)
    elif requested_format and (answer := await checked_answer(rounds, model, requested_format)):
        emit(TextDelta(answer))
    if calls:
        emit(ClientToolCalls(calls, _hidden(rules.whole(rounds.messages[before:]), model)))
    emit(model.usage)
    reason = "tool_calls" if calls else model.finish_reason
    missing = (*unavailable.values(), *refusals.unavailable(request.assistant, model.refused))
    attached = {} if is_held else model.turn.completion.attached
    emit(Finished(reason, model.rounds, missing, attached, gate.awaits if is_held else ()))


def _listeners(emit: Emit, *, emits_text: bool) -> Listeners:
    # JSON is emitted once it is checked, and the texts of earlier rounds would spoil it.
    return Listeners(
        on_text=(lambda text: emit(TextDelta(text))) if emits_text else ignore_text,
        on_reasoning=lambda text: emit(ReasoningDelta(text)),
        on_refusal=lambda text: emit(RefusalDelta(text)),
    )


async def _clients(request: RunRequest) -> Sequence[LLMClient]:
    if _pool is None:
        raise RuntimeError("Runs need assistants.agent.lifespan().")
    return await failover.clients(_pool, request.assistant, request.parameters)


def _model(request: RunRequest, clients: Sequence[LLMClient], listeners: Listeners) -> RunModel:
    return RunModel(
        clients,
        tool_choice=request.tool_choice,
        max_rounds=request.assistant.max_rounds,
        listeners=listeners,
        client_names=request.client_names,
        server_names=request.assistant.by_name.keys(),
        on_refused=partial(refusals.note, request.assistant),
    )


def _client_calls(request: RunRequest, model: RunModel) -> tuple[ClientToolCall, ...]:
    """Returns the last turn's calls of the caller's tools."""
    names = request.client_names
    return tuple(
        ClientToolCall(call.id, call.name, call.arguments or "{}", call.attached)
        for call in model.calls
        if call.name in names
    )


def _hidden(whole: Messages, model: RunModel) -> tuple[Mapping[str, Any], ...]:
    """Returns the run's messages as they are stored.

    () where the caller sees all of it: no tool of ours ran, and the LLM service attached nothing.
    """
    if len(whole) == 1 and not model.turn.has_attachments:
        return ()
    return tuple(to_transcript(whole, model.reasoning_field))
