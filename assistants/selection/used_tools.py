"""Which of an assistant's tools a conversation has used."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from assistants.catalogue.entries import AssistantEntry
from assistants.selection.meta_tools import CALL

Messages = Sequence[Mapping[str, Any]]


def used(messages: Messages, assistant: AssistantEntry) -> list[str]:
    """Public names, the latest first: of calls among the messages, and of those that answers told of."""
    names = (name for message in reversed(messages) for name in _names(message))
    return [name for name in dict.fromkeys(names) if name in assistant.by_name]


def _names(message: Mapping[str, Any]) -> Iterator[str]:
    if message["role"] == "assistant":
        yield from map(_called, message.get("tool_calls") or ())
        yield from _told(message.get("mcp_connector"))


def _called(call: Mapping[str, Any]) -> str:
    """What a call was made of, also through the tool that calls what a search found."""
    function = call["function"]
    return _inner(function["arguments"]) if function["name"].startswith(CALL) else str(function["name"])


def _inner(arguments: str) -> str:
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return ""
    return str(given.get("name")) if isinstance(given, dict) else ""


def _told(extension: Any) -> Iterable[str]:
    """By the extension of an answer, which SDKs send back with it. It was not validated."""
    calls = extension.get("tool_calls") if isinstance(extension, dict) else None
    given = calls if isinstance(calls, list) else ()
    return (str(call["name"]) for call in given if isinstance(call, dict) and "name" in call)
