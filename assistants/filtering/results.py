"""Results of tools on their way to the model, the record and the caller: without secrets, and filtered."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import orjson

from assistants.catalogue import FunctionEntry
from assistants.filtering.external import About, FilterRefused, filter_result
from assistants.filtering.secret_texts import Rule, masked, rules_for
from connector.wire.results import CallResult
from core import off_loop

MOST_BYTES = 4 * 1024 * 1024
"""Of a result as JSON. A longer one is withheld: nobody has looked through it."""
WITHHELD = "The tool was called and its result is withheld: do not call it again to see it."
TOO_LONG = "[masked: too long to be looked through for secrets]"
TOO_DEEP = "[masked: nested too deeply to be looked through for secrets]"
_DEEPEST = 200
_BYTES = {"image": "data", "audio": "data", "resource": "blob"}
"""The members of content blocks that hold no text, by the type of the block (MCP 2025-11-25, *Tools*)."""
_LEAST_CARD = 10**12
"""Card numbers that come as a number have at least 13 digits."""

Wire = dict[str, Any]
Result = TypeVar("Result", CallResult, Wire)


async def passed_on(function: FunctionEntry, result: Result, about: About, *, masks_secrets: bool) -> Result:
    """Returns a result as it may be seen. Where the filter refuses it, that is an error which says why."""
    if isinstance(result, CallResult):
        wire = {"content": result.content, "structuredContent": result.structured_content}
        seen = await _seen(function, wire | {"isError": result.is_error}, about, masks_secrets)
        content, structured = seen["content"], seen.get("structuredContent")
        return replace(
            result, content=content, structured_content=structured, is_error=seen.get("isError", False)
        )
    return await _seen(function, result, about, masks_secrets)


async def _seen(function: FunctionEntry, wire: Wire, about: About, masks_secrets: bool) -> Wire:
    if masks_secrets:
        wire = await without_secrets(wire)
    try:
        return await filter_result(function, wire, about)
    except FilterRefused as refusal:
        return _error(f"{WITHHELD} {refusal}")


async def without_secrets(wire: Wire) -> Wire:
    """Returns a result in whose texts no secret stands that we know the form of."""
    raw = orjson.dumps(wire)
    if len(raw) > MOST_BYTES:
        return _error(TOO_LONG)
    return await off_loop.run(lambda: _whole(wire, rules_for(raw.decode())), size=len(raw))


def _whole(wire: Wire, rules: Sequence[Rule]) -> Wire:
    """Masks all of a result but the bytes in its content."""
    content = wire.get("content")
    if not isinstance(content, list):
        return cast(Wire, _masked(wire, rules, 0))
    rest = {name: each for name, each in wire.items() if name != "content"}
    return {
        "content": [_masked(block, rules, 2, kept=_bytes_of(block)) for block in content],
        **_masked(rest, rules, 0),
    }


async def read_without_secrets(wire: Wire) -> Wire | None:
    """Returns contents of a resource, or a prompt, likewise; None if they are too long to look through."""
    raw = orjson.dumps(wire)
    if len(raw) > MOST_BYTES:
        return None
    return await off_loop.run(lambda: _whole_read(wire, rules_for(raw.decode())), size=len(raw))


def _whole_read(wire: Wire, rules: Sequence[Rule]) -> Wire:
    return {
        name: [_masked(part, rules, 2, kept=_bytes_of_part(part)) for part in each]
        if name in {"contents", "messages"} and isinstance(each, list)
        else _masked(each, rules, 1)
        for name, each in wire.items()
    }


def _bytes_of_part(part: Any) -> str:
    """`part`: contents of a resource, or a message of a prompt, which has one content block."""
    is_message = isinstance(part, dict) and "content" in part
    return _bytes_of(part["content"]) if is_message else _BYTES["resource"]


def _bytes_of(block: Any) -> str:
    """Returns the member of a content block that holds no text, or ""."""
    return _BYTES.get(str(block.get("type")), "") if isinstance(block, dict) else ""


def _error(text: str) -> Wire:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _masked(value: Any, rules: Sequence[Rule], depth: int, *, kept: str = "") -> Any:
    """`kept` names the member that stays as it is."""
    if isinstance(value, str):
        return masked(value, rules)
    if isinstance(value, int) and value >= _LEAST_CARD:
        return value if masked(str(value), ()) == str(value) else 0
    if not isinstance(value, dict | list):
        return value
    if depth > _DEEPEST:
        return TOO_DEEP
    if isinstance(value, list):
        return [_masked(each, rules, depth + 1, kept=kept) for each in value]
    seen: Wire = {}
    for name, each in value.items():
        is_kept = name == kept and isinstance(each, str)
        seen[_free(masked(name, rules), seen)] = (
            each if is_kept else _masked(each, rules, depth + 1, kept=kept)
        )
    return seen


def _free(name: str, taken: Wire) -> str:
    """Two secrets of a kind that name members must not become one member."""
    return name if name not in taken else f"{name} {len(taken)}"
