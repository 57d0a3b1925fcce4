"""Stores the rounds of a run that its caller does not see, and puts them back into the conversation.

A run may call our servers' tools before the caller's own, or in one turn with them. The caller receives its
own calls alone. When it sends their results, the hidden rounds are found by the ids of those calls and
restored, so that no tool of ours runs again. Once they have expired, the model has to do with the visible
conversation.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import accumulate
from typing import Any

import django.db
import orjson
from django.db.models.functions import Length
from django.utils import timezone

from apikeys.principal import Principal
from assistants.catalogue.entries import AssistantEntry
from assistants.events import ClientToolCalls, Event
from assistants.models import HiddenRounds, alive
from core.database import in_thread

log = logging.getLogger(__name__)

TTL = timedelta(days=1)
MOST_BYTES = 8 * 1024 * 1024
MOST_RESTORED_BYTES = 16 * 1024 * 1024
"""Of all rounds that one request has restored, encrypted: a request may name the calls of 2,000 turns."""
Messages = Sequence[Mapping[str, Any]]


class HiddenRoundsSaver:
    """Observes a run: saves its hidden rounds before the caller receives the calls that name them."""

    def __init__(self, principal: Principal, assistant: AssistantEntry) -> None:
        self._principal = principal
        self._assistant = assistant

    async def on_event(self, event: Event) -> None:
        if isinstance(event, ClientToolCalls) and event.hidden:
            await _save(event, self._principal, self._assistant)


async def restored(
    messages: Messages, principal: Principal, assistant: AssistantEntry, *, are_rounds_visible: bool = False
) -> Messages:
    """Returns the conversation with the hidden rounds that are stored for this key and assistant.

    `are_rounds_visible`: the conversation shows the calls of our servers' tools right before the caller's
    own, one in a turn, as items of the Responses API do. What is stored replaces them: the model said it so.
    """
    ids = {_row_name(call_ids) for call_ids in map(_call_ids, messages) if call_ids}
    if not ids:
        return messages
    try:
        stored = await _find(ids, principal.id, assistant.id)
    except django.db.Error as error:
        log.warning("Hidden rounds cannot be read: %s", type(error).__name__)
        return messages
    restored: list[Mapping[str, Any]] = []
    for message in messages:
        hidden = _hidden_before(message, stored)
        if are_rounds_visible:
            _drop_visible_rounds(restored, hidden)
        restored += merged(message, hidden) if hidden else [message]
    return restored


def _hidden_before(message: Mapping[str, Any], stored: Mapping[str, Messages]) -> Messages:
    """Returns the rounds that end in the message's calls, or ()."""
    call_ids = set(_call_ids(message))
    hidden = stored.get(_row_name(call_ids), ()) if call_ids else ()
    return hidden if _unanswered(hidden) == call_ids else ()


def merged(message: Mapping[str, Any], hidden: Messages) -> Iterator[Mapping[str, Any]]:
    """Yields the rounds that stand for an answer, which the caller has sent back as `message`.

    The caller's calls come as it sent them: it may have corrected their arguments. What the LLM service
    attached to them is added, for clients drop what they do not know.
    """
    shown = {call["id"]: call for call in _calls(message)}
    for each in hidden:
        calls = [_corrected(call, shown.get(call["id"], {})) for call in _calls(each)]
        yield {**each, "tool_calls": calls} if calls else each


def _corrected(call: Mapping[str, Any], shown: Mapping[str, Any]) -> Mapping[str, Any]:
    given = {name: value for name, value in shown.items() if value is not None}
    return {**call, **given, "function": {**call["function"], **given.get("function", {})}}


def _drop_visible_rounds(messages: list[Mapping[str, Any]], hidden: Messages) -> None:
    """Removes the turns that `hidden` replaces from the end of the conversation."""
    count = 2 * sum(message["role"] == "tool" for message in hidden)
    rounds = messages[len(messages) - count :]
    if [message["role"] for message in rounds] == ["assistant", "tool"] * (count // 2):
        del messages[len(messages) - count :]


def _unanswered(hidden: Messages) -> set[str]:
    """Returns the ids of the calls that were left to the caller."""
    called = {call_id for message in hidden for call_id in _call_ids(message)}
    return called - {message["tool_call_id"] for message in hidden if message["role"] == "tool"}


def _calls(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return message.get("tool_calls") or () if message["role"] == "assistant" else ()


def _call_ids(message: Mapping[str, Any]) -> list[str]:
    return [call["id"] for call in _calls(message)]


def _row_name(call_ids: Collection[str]) -> str:
    """Returns the call id that names a turn's row, the same in whatever order the calls come back."""
    return min(call_ids)


async def _save(event: ClientToolCalls, principal: Principal, assistant: AssistantEntry) -> None:
    """A run whose hidden rounds cannot be saved goes on: the next one gets the visible conversation."""
    if len(orjson.dumps(event.hidden)) > MOST_BYTES:
        log.warning("A run's hidden rounds are over %d bytes and are not stored.", MOST_BYTES)
        return
    try:
        await _insert(_row_name([call.id for call in event.calls]), event.hidden, principal.id, assistant.id)
    except django.db.Error as error:
        log.warning("A run's hidden rounds cannot be stored: %s", type(error).__name__)


@in_thread
def _insert(call_id: str, messages: Messages, api_key_id: int, assistant_id: int) -> None:
    HiddenRounds.objects.create(
        api_key_id=api_key_id,
        assistant_id=assistant_id,
        call_id=call_id,
        messages=list(messages),
        expires_at=timezone.now() + TTL,
    )


@in_thread
def _find(call_ids: Collection[str], api_key_id: int, assistant_id: int) -> dict[str, Messages]:
    rows = HiddenRounds.objects.filter(api_key_id=api_key_id, assistant_id=assistant_id, call_id__in=call_ids)
    latest = list(alive(rows).order_by("-pk").values_list("pk", Length("messages")))
    sizes = accumulate(size for _, size in latest)
    kept = [pk for (pk, _), size in zip(latest, sizes, strict=True) if size <= MOST_RESTORED_BYTES]
    if len(kept) < len(latest):
        log.warning("Of %d hidden rounds of a request, the latest %d are restored.", len(latest), len(kept))
    return {row.call_id: row.messages for row in rows.filter(pk__in=kept)}
