"""A run whose answer is JSON: it is told once it is known to be as it was asked for."""

import asyncio
from collections.abc import Awaitable, Callable

from strands import Agent

from assistants.agent.strands_model import RunModel
from assistants.errors import UpstreamFailed
from assistants.events import RunEvent, TextDelta
from assistants.response_formats import Format, InvalidAnswer

Emit = Callable[[RunEvent], None]
Loop = Callable[[Agent, RunModel, Emit], Awaitable[None]]


async def formatted(loop: Loop, agent: Agent, model: RunModel, emit: Emit, wanted: Format) -> None:
    """`loop`, whose last round's text is the answer: what was said in the others would spoil the JSON.

    The model gets one chance to repair it. Raises UpstreamFailed.
    """
    await loop(agent, model, _but_text(emit))
    try:
        answer = await _read(agent, model, wanted)
    except InvalidAnswer as problem:
        answer = await _repaired(loop, agent, model, wanted, problem)
    if answer:
        emit(TextDelta(answer))


async def _repaired(loop: Loop, agent: Agent, model: RunModel, wanted: Format, problem: InvalidAnswer) -> str:
    complaint = f"Your answer is not as it was asked for. {problem} Answer again, with the JSON alone."
    agent.messages.append({"role": "user", "content": [{"text": complaint}]})
    model.withdraw_tools()
    await loop(agent, model, lambda _: None)
    try:
        return await _read(agent, model, wanted)
    except InvalidAnswer as again:
        message = "The language model did not answer in the format that was asked for."
        raise UpstreamFailed("upstream_invalid_response", message) from again


async def _read(agent: Agent, model: RunModel, wanted: Format) -> str:
    """What was cut off, or comes with calls for the caller, is not held to the format."""
    last = agent.messages[-1]
    answer = "".join(block["text"] for block in last["content"] if "text" in block)
    if model.calls or model.finish_reason != "stop":
        return answer
    return await asyncio.to_thread(wanted.read, answer)


def _but_text(emit: Emit) -> Emit:
    return lambda event: None if isinstance(event, TextDelta) else emit(event)
