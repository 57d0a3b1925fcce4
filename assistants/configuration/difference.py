"""How a file differs from what is stored, in lines that begin with `+`, `-` or `~`. No secret is in it."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from core.cut_text import cut
from core.printable import shown

_LONGEST = 120


def lines(
    what: str, before: Mapping[str, Any], after: Mapping[str, Any], *, secret: Collection[str] = ()
) -> Iterator[str]:
    """Yields a line for each field that differs. Of those in `secret` it tells no value."""
    for field, value in after.items():
        if value != before[field]:
            said = _secret(before[field], value) if field in secret else _clear(before[field], value)
            yield f"~ {what}: {field}{said}"


def _clear(before: Any, after: Any) -> str:
    one, other = _text(before), _text(after)
    return ": changed" if one == other else f": {one} -> {other}"  # equal as far as they are shown


def _secret(before: Any, after: Any) -> str:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return ": changed"
    told = {name: "changed" for name in after.keys() & before.keys() if after[name] != before[name]}
    told |= dict.fromkeys(after.keys() - before.keys(), "added")
    told |= dict.fromkeys(before.keys() - after.keys(), "removed")
    return ": " + ", ".join(f"{shown(name)} {what}" for name, what in sorted(told.items()))


def _text(value: Any) -> str:
    return cut(json.dumps(_without_unset(value), ensure_ascii=False, default=str), _LONGEST)


def _without_unset(value: Any) -> Any:
    """Returns the value without the fields of parts that say nothing."""
    if isinstance(value, list):
        return [_without_unset(each) for each in value]
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if each is not None}
    return value
