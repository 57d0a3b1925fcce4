"""Structured output: where `response_format` asks for JSON, the answer is checked before it is emitted."""

import asyncio
from collections.abc import Awaitable, Callable

from strands import Agent

from assistants.agent.strands_model import RunModel
from assistants.errors import UpstreamFailed
from assistants.response_formats import Format, InvalidAnswer
from core.message import Message


async def checked_answer(
    agent: Agent, model: RunModel, requested: Format, run_rounds: Callable[[], Awaitable[None]]
) -> str:
    """Returns the text of the last round as JSON of the requested format. Raises UpstreamFailed.

    An answer that does not fit goes back to the model once, with what is wrong with it, for `run_rounds` to
    ask it again without tools.
    """
    try:
        return await _check(agent, model, requested)
    except InvalidAnswer as problem:
        hint = f"Your answer is not as it was asked for. {problem} Answer again, with the JSON alone."
    agent.messages.append({"role": "user", "content": [{"text": hint}]})
    model.withdraw_tools()
    await run_rounds()
    try:
        return await _check(agent, model, requested)
    except InvalidAnswer as problem:
        message = Message("The language model did not answer in the format that was asked for.")
        raise UpstreamFailed("upstream_invalid_response", message) from problem


async def _check(agent: Agent, model: RunModel, requested: Format) -> str:
    """Raises InvalidAnswer. An answer that was cut off, or comes with calls for the caller, always passes.

    A refusal has been emitted as one already, and no JSON follows it.
    """
    if model.turn.completion.refusal:
        return ""
    last = agent.messages[-1]
    answer = "".join(block["text"] for block in last["content"] if "text" in block)
    if model.calls or model.finish_reason != "stop":
        return answer
    # A large answer against a large schema takes seconds, for which the event loop would be blocked.
    return await asyncio.to_thread(requested.read, answer)
