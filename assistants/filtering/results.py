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
_BINARY = frozenset({"data", "blob", "type", "mimeType"})
"""Members of content blocks that hold no text."""
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
    return cast(Wire, await off_loop.run(lambda: _masked(wire, rules_for(raw.decode()), 0), size=len(raw)))


def _error(text: str) -> Wire:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _masked(value: Any, rules: Sequence[Rule], depth: int) -> Any:
    if isinstance(value, str):
        return masked(value, rules)
    if isinstance(value, int) and value >= _LEAST_CARD:
        return value if masked(str(value), ()) == str(value) else 0
    if not isinstance(value, dict | list):
        return value
    if depth > _DEEPEST:
        return TOO_DEEP
    if isinstance(value, list):
        return [_masked(each, rules, depth + 1) for each in value]
    is_binary = isinstance(value.get("mimeType"), str)
    kept: Wire = {}
    for name, each in value.items():
        is_kept = is_binary and name in _BINARY
        kept[_free(masked(name, rules), kept)] = each if is_kept else _masked(each, rules, depth + 1)
    return kept


def _free(name: str, taken: Wire) -> str:
    """Two secrets of a kind that name members must not become one member."""
    return name if name not in taken else f"{name} {len(taken)}"
