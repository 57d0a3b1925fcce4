"""Conversations that are stored for callers who ask for it. Each belongs to one key, and expires."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from assistants.events import (
    ClientToolCall,
    ClientToolCalls,
    Event,
    Finished,
    RefusalDelta,
    TextDelta,
)
from assistants.models import Conversation
from core.database import in_thread

_BYTES_A_TOKEN = 4
_IMAGE = {"type": "text", "text": "[An image was here.]"}
_SYSTEM = {"system", "developer"}
Messages = Sequence[Mapping[str, Any]]


def continued(stored: Messages, messages: Messages) -> list[Mapping[str, Any]]:
    """Returns a request's messages behind the stored ones, but for system texts that it begins with."""
    beginning = list(takewhile(lambda message: message["role"] in _SYSTEM, messages))
    return [*beginning, *stored, *messages[len(beginning) :]]


@in_thread
def load(api_key_id: int, session_id: str) -> list[dict[str, Any]]:
    """Returns the conversation so far, as OpenAI chat messages."""
    row = Conversation.objects.filter(api_key_id=api_key_id, external_id=session_id).first()
    return unexpired_messages(row) if row else []


def unexpired_messages(conversation: Conversation) -> list[dict[str, Any]]:
    """Returns no messages after `messages_expire_at`: beat deletes them some minutes later."""
    expires_at = conversation.messages_expire_at
    is_alive = expires_at is not None and expires_at > timezone.now()
    return list(conversation.messages or ()) if is_alive else []


class HistorySaver:
    """Observes a run: saves what was asked and answered before the caller receives the run's last event.

    A run that fails saves nothing: its caller asks again. `on_event` raises django.db.Error, which fails the
    run: the caller would count on a history that is not there.
    """

    def __init__(self, messages: Messages, *, api_key_id: int, session_id: str) -> None:
        self._messages = messages
        self._api_key_id = api_key_id
        self._session_id = session_id
        self._texts: list[str] = []
        self._calls: Sequence[ClientToolCall] = ()

    async def on_event(self, event: Event) -> None:
        match event:
            case TextDelta() | RefusalDelta():
                self._texts.append(event.storable)
            case ClientToolCalls():
                self._calls = event.calls
            case Finished():
                answer = _answer("".join(self._texts), self._calls)
                new = [*map(_without_images, _without_system_texts(self._messages)), answer]
                await _append(self._api_key_id, self._session_id, new)


@in_thread
@transaction.atomic
def _append(api_key_id: int, session_id: str, new: Messages) -> None:
    now = timezone.now()
    row = Conversation(api_key_id=api_key_id, external_id=session_id, created_at=now, last_run_at=now)
    Conversation.objects.bulk_create([row], ignore_conflicts=True)
    row = Conversation.objects.select_for_update().get(api_key_id=api_key_id, external_id=session_id)
    row.messages = _trimmed([*unexpired_messages(row), *new])
    row.messages_expire_at = now + timedelta(days=settings.STORED_HISTORY_DAYS)
    row.save(update_fields=["messages", "messages_expire_at"])


def _trimmed(messages: list[Any]) -> list[Any]:
    """Returns the latest messages that fit into STORED_HISTORY_TOKENS.

    They begin with a user's message, so that no tool result is left without its call.
    """
    free_bytes = settings.STORED_HISTORY_TOKENS * _BYTES_A_TOKEN
    start = len(messages)
    for index in range(len(messages) - 1, -1, -1):
        free_bytes -= len(orjson.dumps(messages[index]))
        if free_bytes < 0:
            break
        if messages[index]["role"] == "user":
            start = index
    return messages[start:]


def _without_system_texts(messages: Messages) -> Iterator[Mapping[str, Any]]:
    """Leaves out system texts, which hold for the request that brings them."""
    return (message for message in messages if message["role"] not in _SYSTEM)


def _without_images(message: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves out images, which would fill the window at once."""
    content = message.get("content")
    if not isinstance(content, list):
        return dict(message)
    parts = [_IMAGE if part.get("type") == "image_url" else part for part in content]
    return {**message, "content": parts}


def _answer(text: str, calls: Sequence[ClientToolCall]) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
    if calls:
        answer["tool_calls"] = [call.openai for call in calls]
    return answer
