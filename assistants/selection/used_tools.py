"""Finds the tools of an assistant that a conversation has used."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from assistants.catalogue.entries import AssistantEntry
from assistants.selection.meta_tools import CALL

Messages = Sequence[Mapping[str, Any]]


def used(messages: Messages, assistant: AssistantEntry) -> list[str]:
    """Returns public names, the latest first.

    They are those of the calls among the messages, and of the calls that an answer's extension lists.
    """
    names = (name for message in reversed(messages) for name in _names(message))
    return [name for name in dict.fromkeys(names) if name in assistant.by_name]


def _names(message: Mapping[str, Any]) -> Iterator[str]:
    if message["role"] == "assistant":
        yield from map(_called, message.get("tool_calls") or ())
        yield from _from_extension(message.get("mcp_connector"))


def _called(call: Mapping[str, Any]) -> str:
    """Returns the name of the tool that was called; for a call of `call_tool`, of the tool inside it."""
    function = call["function"]
    # By prefix: where the caller has a tool of that name, ours is call_tool_2.
    return _inner(function["arguments"]) if function["name"].startswith(CALL) else str(function["name"])


def _inner(arguments: str) -> str:
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return ""
    return str(given.get("name")) if isinstance(given, dict) else ""


def _from_extension(extension: Any) -> Iterable[str]:
    """Returns the names of an answer's `mcp_connector`, which some SDKs send back within the message.

    No endpoint validates it: it can be anything.
    """
    calls = extension.get("tool_calls") if isinstance(extension, dict) else None
    given = calls if isinstance(calls, list) else ()
    return (str(call["name"]) for call in given if isinstance(call, dict) and "name" in call)
