"""Goes on from answers that ended while calls waited: their rounds stand where our sentence was.

An answer is found by the conversation before it, to the same caller and end user only. What became of its
calls is told to the model as their results. About those that are open the request may decide, by a code or by
approval items: see `decisions`.
"""

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from apikeys import limits
from assistants.agent import approval_results
from assistants.agent.cancellation import cancellable
from assistants.agent.llm.chat_messages import to_transcript
from assistants.approvals import (
    Asker,
    Outcome,
    Result,
    attempts,
    decisions,
    held_answers,
    outcome,
    sentences,
    transcripts,
)
from assistants.approvals.continued import Continued, Messages
from assistants.approvals.decisions import Decided, Item
from assistants.approvals.held_answers import Held
from assistants.approvals.open_calls import OpenCall, open_calls
from assistants.conversations import hidden_rounds
from assistants.events import ApprovalStep, ToolFinished, ToolStarted
from core.database import DATABASE_ERRORS

log = logging.getLogger(__name__)

MOST_MARKS = 32
"""Of the answers of a conversation that say that something waits, the latest are restored."""
_ROUND = {"assistant", "tool"}


@dataclass(frozen=True, slots=True)
class _Mark:
    """An answer of ours that was held: the message at `end`, which begins at one of `starts`."""

    end: int
    numbers: frozenset[int]
    starts: Mapping[str, int]
    """Where the answer may begin, by the digest of what is before it."""


@dataclass(slots=True)
class _Delivery:
    """What became of the calls of the answers that were found."""

    calls: Mapping[int, OpenCall]
    outcomes: Mapping[int, Outcome | None]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Tool messages by call id."""
    errors: dict[int, str | None] = field(default_factory=dict)


async def continued(
    messages: Messages,
    asker: Asker,
    *,
    wait_s: float,
    visible: Messages | None = None,
    items: Sequence[tuple[int, Item]] = (),
    are_rounds_visible: bool = False,
    is_answer_stored: bool = False,
) -> Continued:
    """Returns the conversation for a run. Waits for the outcomes of calls that were agreed to.

    It waits as a run does: within the key's limits, and until the caller may not call any more.

    `visible`: the messages as `sentences.cut_from_all` has them, where that is known.
    `items`: approval items, by number. InvalidRequest is raised for those that do not belong to the
    conversation. `are_rounds_visible`: it shows the calls of our tools before our sentence.
    `is_answer_stored`: the answer before its last message is as we stored it, so without its code.
    """
    visible = sentences.cut_from_all(messages) if visible is None else visible
    if not items and visible is messages:
        plain = [_untagged(message) for message in messages] if are_rounds_visible else messages
        return Continued(plain, plain)
    marks = _marks(messages, are_rounds_visible=are_rounds_visible)
    try:
        held = await _found(marks, asker)
        if items:
            numbers = {number for row in held.values() for number in row.numbers}
            decided = Decided(await decisions.by_items(items, numbers, asker))
        else:
            decided = await _decided(messages, held, asker, is_answer_stored=is_answer_stored)
        delivery = await _delivery(held.values(), asker, decided.agreed, wait_s)
    except DATABASE_ERRORS as error:
        if items:
            raise
        log.warning("Held answers cannot be read: %s", type(error).__name__)
        return Continued([_untagged(message) for message in visible], visible)
    return replace(_restored(messages, visible, marks, held, delivery), refusal=decided.refusal)


def _marks(messages: Messages, *, are_rounds_visible: bool) -> list[_Mark]:
    ours = [
        (index, frozenset(found))
        for index, message in enumerate(messages)
        if message["role"] == "assistant" and (found := sentences.numbers(transcripts.text_of(message)))
    ]
    marks = []
    for end, numbers in ours[-MOST_MARKS:]:
        starts = [end, *(_rounds_before(messages, end) if are_rounds_visible else ())]
        marks.append(
            _Mark(end, numbers, {transcripts.digest(messages[:start]): start for start in reversed(starts)})
        )
    return marks


def _rounds_before(messages: Messages, end: int) -> Iterator[int]:
    for index in range(end - 1, -1, -1):
        if messages[index]["role"] not in _ROUND:
            return
        yield index


async def _found(marks: Sequence[_Mark], asker: Asker) -> dict[int, Held]:
    """Returns the answers, by where they end."""
    digests = {digest for mark in marks for digest in mark.starts}
    rows = await held_answers.find(asker, digests) if digests else []
    found = {}
    for mark in marks:
        row = next(
            (row for row in rows if row.transcript in mark.starts and mark.numbers <= row.numbers), None
        )
        if row is not None:
            found[mark.end] = row
    return found


async def _decided(
    messages: Messages, held: Mapping[int, Held], asker: Asker, *, is_answer_stored: bool
) -> Decided:
    """Decides by the user's last message."""
    last = messages[-1]
    at = attempts.asked_before(messages, len(messages) - 2)  # the answer right before it
    row = held.get(at)
    if row is None or last["role"] != "user":
        return Decided()
    shown = None if is_answer_stored else transcripts.text_of(messages[at])
    return await decisions.by_code(row.numbers, shown, transcripts.text_of(last), asker)


async def _delivery(
    held: Collection[Held], asker: Asker, decided: Collection[int], wait_s: float
) -> _Delivery:
    numbers = {number for row in held for number in row.open_calls.values()}
    calls = await open_calls(numbers, asker) if numbers else {}
    waits = {
        number: wait_s if number in decided or call.is_under_way else 0.0 for number, call in calls.items()
    }
    delivery = _Delivery(calls, await _outcomes(waits, asker))
    for row in held:
        for call_id, number in row.open_calls.items():
            _tell(delivery, call_id, number)
    return delivery


async def _outcomes(waits: Mapping[int, float], asker: Asker) -> dict[int, Outcome | None]:
    """Waits for all at once, for so many seconds each."""
    if not any(waits.values()):
        return await _all(waits)
    async with limits.current().permit(asker.principal), cancellable(asker.principal):
        return await _all(waits)


async def _all(waits: Mapping[int, float]) -> dict[int, Outcome | None]:
    found = await asyncio.gather(*(outcome(number, wait_s=wait_s) for number, wait_s in waits.items()))
    return dict(zip(waits, found, strict=True))


def _tell(delivery: _Delivery, call_id: str, number: int) -> None:
    found = delivery.outcomes.get(number)
    if found is None:
        result = approval_results.still_waiting(call_id, number)
    else:
        result, delivery.errors[number] = approval_results.told(call_id, found)
    message: Any = {"role": "user", "content": [{"toolResult": result}]}
    [delivery.results[call_id]] = to_transcript([message], "")


def _restored(
    sent: Messages, visible: Messages, marks: Sequence[_Mark], held: Mapping[int, Held], delivery: _Delivery
) -> Continued:
    messages: list[Mapping[str, Any]] = []
    filled: dict[int, Messages] = {}
    position = 0
    for mark in marks:
        row = held.get(mark.end)
        if row is None:
            continue
        messages += visible[position : mark.starts[row.transcript]]
        messages += hidden_rounds.merged(visible[mark.end], _with_results(row, delivery, is_open=True))
        if any(delivery.outcomes.get(number) for number in row.open_calls.values()):
            filled[row.id] = _with_results(row, delivery, is_open=False)
        position = mark.end + 1 + attempts.failed_after(sent, mark.end)
        if position < len(visible) and _is_decision(visible[position]):
            position += 1
    messages += visible[position:]
    waiting = [delivery.calls[number] for number, found in delivery.outcomes.items() if found is None]
    shown = {number for row in held.values() for number in row.numbers}
    return Continued(
        messages=list(_without_repeated(messages, shown)),
        visible=visible,
        events=list(_events(held.values(), delivery)),
        filled=filled,
        asked_as=waiting[0].transcript if waiting else "",
    )


def _without_repeated(messages: Messages, shown: Collection[int]) -> Iterator[Mapping[str, Any]]:
    """Leaves out turns whose call stands in the rounds of an answer that was held."""
    is_repeated = False
    for message in messages:
        is_repeated = message.get(sentences.TAG) in shown or (is_repeated and message["role"] == "tool")
        if not is_repeated:
            yield _untagged(message)


def _untagged(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in message.items() if name != sentences.TAG}


def _is_decision(message: Mapping[str, Any]) -> bool:
    """Tells whether a message only decided, and says nothing to the model."""
    words = transcripts.text_of(message).split()
    return message["role"] == "user" and words in (["approve", sentences.CUT], ["reject", sentences.CUT])


def _with_results(row: Held, delivery: _Delivery, *, is_open: bool) -> list[Mapping[str, Any]]:
    """Returns the answer's rounds, each turn followed by its results. `is_open`: also by what still waits."""
    rounds: list[Mapping[str, Any]] = []
    for message in row.messages:
        rounds.append(message)
        for call in message.get("tool_calls") or ():
            number = row.open_calls.get(call["id"])
            if number is not None and (is_open or delivery.outcomes.get(number) is not None):
                rounds.append(delivery.results[call["id"]])
    return rounds


def _events(
    held: Collection[Held], delivery: _Delivery
) -> Iterator[ApprovalStep | ToolStarted | ToolFinished]:
    """Yields what the caller is shown of the calls whose outcome it learns, each approval once."""
    call_ids = {number: call_id for row in held for call_id, number in row.open_calls.items()}
    for number, found in delivery.outcomes.items():
        call, call_id = delivery.calls[number], call_ids[number]
        state = "waiting" if found is None else approval_results.state_of(found)
        names = (call.server, call.server, call.function)
        yield ApprovalStep(number, state, call_id, *names, is_joined=True)
        if found is not None:
            arguments = found.arguments if isinstance(found, Result) else {}
            yield ToolStarted(
                call_id, call.public_name, call.server, call.function, arguments, approval=number
            )
            error = delivery.errors[number]
            content = cast(Any, delivery.results[call_id]["content"])
            yield ToolFinished(
                call_id, call.public_name, "error" if error else "ok", 0, error, _texts(content)
            )


def _texts(content: Any) -> list[Mapping[str, Any]]:
    return [part for part in content if "text" in part] if isinstance(content, list) else [{"text": content}]
