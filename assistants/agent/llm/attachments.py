"""Attachments: the fields beyond OpenAI's protocol that a service adds to an assistant's turn or to a call.

Gemini refuses to go on without its thought signature (`tool_calls[].extra_content`), OpenRouter's models want
their `reasoning_details`. They return to the service unchanged, also by way of a caller.
"""

from collections.abc import Mapping
from typing import Any

_OF_MESSAGE = frozenset(
    {
        "annotations", "audio", "channel", "content", "executed_tools", "function_call", "images", "logprobs",
        "mcp_connector", "name", "parsed", "reasoning", "reasoning_content", "refusal", "role", "token_id",
        "token_ids", "tool_calls",
    }
)  # fmt: skip
"""What is read elsewhere, or describes an answer: services that send these refuse them."""
_OF_CALL = frozenset({"function", "id", "index", "type", "upstream_id"})
_OF_FUNCTION = frozenset({"arguments", "name", "parsed_arguments"})
_OF_TEXT = frozenset(
    {
        "extra_content", "provider_specific_fields", "reasoning_details", "reasoning_signature", "signature",
        "thinking_blocks", "thought_signature", "thought_signatures",
    }
)  # fmt: skip
"""What goes back of a turn without calls. Clients add fields of their own to their history, and many services
refuse unknown ones; in a turn with calls whatever is there may be needed.
"""
_IDENTITY = frozenset({"format", "id", "index", "name", "object", "role", "type"})
"""Fields of which the last value holds; other texts are parts of one text."""
_IN_PARTS = frozenset({"content", "data", "summary", "text", "thinking"})
"""Fields of which two equal parts are two parts; of others the second one is a repetition."""
_KEY = "attached"
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def attach(holder: Any, attached: Mapping[str, Any]) -> None:
    """Put attachments into a content block of Strands (its turn's go into the last one), or into a toolUse.

    Strands removes what it does not know from messages, but not from their content.
    """
    if attached:
        holder[_KEY] = attached


def attached_to(holder: Any) -> Mapping[str, Any]:
    """Returns what `attach` has put there."""
    attached: Mapping[str, Any] = holder.get(_KEY) or {}
    return attached


def of_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the attachments of a delta, or of an assistant's message."""
    return _without(message, _OF_MESSAGE)


def of_history(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the attachments of a message in a caller's history, as far as they are to be sent on."""
    attached = of_message(message)
    if message.get("tool_calls"):
        return attached
    return {name: value for name, value in attached.items() if name in _OF_TEXT}


def of_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the attachments of a call, or of a part of it; those of its function under `function`."""
    attached = _without(call, _OF_CALL)
    function = call.get("function")
    if isinstance(function, Mapping) and (inner := _without(function, _OF_FUNCTION)):
        attached["function"] = inner
    return attached


def with_attached(wire: Mapping[str, Any], attached: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a message or a call with its attachments. They never replace what is there."""
    merged = {**attached, **wire}
    if isinstance(inner := attached.get("function"), Mapping) and isinstance(wire.get("function"), Mapping):
        merged["function"] = {**inner, **wire["function"]}
    return merged


def accumulate(so_far: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add the attachments of one chunk to those of the chunks before it."""
    for name, value in delta.items():
        so_far[name] = _sum(name, so_far[name], value) if name in so_far else value


def _without(fields: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    if fields.keys() <= known:  # as of nearly all
        return {}
    return {name: value for name, value in fields.items() if name not in known and value not in _NOTHING}


def _sum(name: str, before: Any, value: Any) -> Any:
    match before, value:
        case str(), str():
            is_repeated = name in _IDENTITY or (before == value and name not in _IN_PARTS)
            return value if is_repeated else before + value
        case dict(), dict():
            merged = dict(before)
            accumulate(merged, value)
            return merged
        case list(), list():
            items = list(before)
            for item in value:
                _add_item(items, item)
            return items
        case _:
            return value


def _add_item(items: list[Any], item: Any) -> None:
    """Append an item of a list, or add it to the one before that it continues: of its index and type."""
    last = items[-1] if items else None
    if isinstance(item, dict) and isinstance(last, dict) and _continues(last, item):
        items[-1] = _sum("", last, item)
    else:
        items.append(item)


def _continues(last: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    is_same = item.get("index") == last.get("index") and item.get("type") == last.get("type")
    ids = {each["id"] for each in (last, item) if each.get("id")}
    return is_same and item.get("index") is not None and len(ids) <= 1
