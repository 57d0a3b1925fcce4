"""The end of a run in which calls wait."""

from collections.abc import Callable

from strands.types.content import Messages

from assistants.agent.llm.chat_messages import to_transcript
from assistants.agent.run_gate import RunGate
from assistants.agent.run_model import RunModel
from assistants.approvals import sentences
from assistants.events import AnswerHeld, Finished, RefusalDelta, RunEvent, TextDelta, Usage


def emit(
    rounds: Messages,
    gate: RunGate,
    model: RunModel,
    emit: Callable[[RunEvent], None],
    *,
    is_told: bool,
    is_json: bool,
) -> None:
    """Emits what the caller is told, and what is kept for its next message.

    `rounds`: what the model said in this run, with the results. `is_told`: the answer ends here, maybe with
    calls of the caller's tools beside what waits. Where it must be JSON, the sentence is a refusal, for which
    clients have a place.
    """
    if is_told and (text := sentences.written(gate.told)):
        said = any(block.get("text") for message in rounds for block in message["content"])
        kind = RefusalDelta if is_json else TextDelta
        text = f"\n\n{text}" if said and not is_json else text
        emit(kind(text, sentences.without_codes(text)))
    waiting = gate.waiting
    kept = to_transcript(rounds, model.reasoning_field)
    emit(AnswerHeld(tuple(each for each in kept if each.get("tool_call_id") not in waiting), waiting))


def refuse(text: str, emit: Callable[[RunEvent], None], *, is_json: bool) -> None:
    """Emits an answer of ours alone, for which no model was asked."""
    emit(RefusalDelta(text) if is_json else TextDelta(text))
    emit(Usage(0, 0))
    emit(Finished("stop", 0))
