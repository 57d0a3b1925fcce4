"""The digest of a conversation as its caller sees it, by which a held answer is found again. Pure.

Clients change what they send back: white space, parts of contents, system texts with the time of day. What
is left of that is the roles, the words, and the ids of the caller's tool calls. Sentences and codes of ours
do not count: see `sentences`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from assistants.approvals import sentences

_SYSTEM = {"system", "developer"}
_IMAGE = "[An image was here.]"  # as a stored history has it
Messages = Sequence[Mapping[str, Any]]


def digest(messages: Messages) -> str:
    """`messages`: OpenAI chat messages, without what the caller does not see."""
    said = [_said(message) for message in messages if message["role"] not in _SYSTEM]
    return hashlib.sha256(orjson.dumps(said)).hexdigest()


def turn(messages: Messages) -> Messages:
    """Returns the conversation up to its last message of the user: what is answered, however often."""
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    return messages[: users[-1] + 1] if users else messages


def text_of(message: Mapping[str, Any]) -> str:
    """Returns all that a message says, as one text."""
    content = message.get("content") or ""
    parts = [content] if isinstance(content, str) else [_part(part) for part in content]
    return "\n".join([*parts, str(message.get("refusal") or "")])


def _said(message: Mapping[str, Any]) -> list[Any]:
    words = " ".join(sentences.cut(text_of(message)).split())
    calls = [call["id"] for call in message.get("tool_calls") or ()]
    return [message["role"], words, calls, message.get("tool_call_id")]


def _part(part: Mapping[str, Any]) -> str:
    return _IMAGE if part.get("type") == "image_url" else str(part.get("text") or part.get("refusal") or "")
