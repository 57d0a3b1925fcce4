"""Structured output: where `response_format` asks for JSON, the answer is checked before it is emitted."""

import asyncio

from assistants.agent.rounds import Rounds
from assistants.agent.run_model import RunModel
from assistants.errors import UpstreamFailed
from assistants.response_formats import Format, InvalidAnswer
from core.message import Message


async def checked_answer(rounds: Rounds, model: RunModel, requested: Format) -> str:
    """Returns the text of the last round as JSON of the requested format. Raises UpstreamFailed.

    An answer that does not fit goes back to the model once, with what is wrong with it, for another round
    without tools.
    """
    try:
        return await _check(model, requested)
    except InvalidAnswer as problem:
        hint = f"Your answer is not as it was asked for. {problem} Answer again, with the JSON alone."
    rounds.messages.append({"role": "user", "content": [{"text": hint}]})
    model.withdraw_tools()
    await rounds.run()
    try:
        return await _check(model, requested)
    except InvalidAnswer as problem:
        message = Message("The language model did not answer in the format that was asked for.")
        raise UpstreamFailed("upstream_invalid_response", message) from problem


async def _check(model: RunModel, requested: Format) -> str:
    """Raises InvalidAnswer. An answer that was cut off, or comes with calls for the caller, always passes.

    A refusal has been emitted as one already, and no JSON follows it.
    """
    answer = model.turn.completion
    if answer.refusal:
        return ""
    if model.calls or model.finish_reason != "stop":
        return answer.text
    # A large answer against a large schema takes seconds, for which the event loop would be blocked.
    return await asyncio.to_thread(requested.read, answer.text)
