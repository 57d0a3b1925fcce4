"""Names of properties that LLM services accept, for those of tools that they refuse, such as `$filter`."""

import re
from collections.abc import Collection, Mapping
from itertools import count
from typing import Any

_LONGEST = 64
_ACCEPTED = re.compile(r"[a-zA-Z0-9_.-]{1,64}")  # Anthropic's rule, the strictest
_REFUSED = re.compile(r"[^a-zA-Z0-9_.-]+")


def accepted_names(schema: Mapping[str, Any]) -> dict[str, str]:
    """Returns other names for the properties, anywhere in a schema, whose own ones services refuse.

    None of them is the name of another property of the schema.
    """
    declared = _declared(schema)
    names: dict[str, str] = {}
    taken = set(declared)
    for name in declared:
        if not _ACCEPTED.fullmatch(name):
            names[name] = _free(name, taken)
            taken.add(names[name])
    return names


def _declared(schema: Mapping[str, Any]) -> dict[str, None]:
    """Returns the names in the order in which they come."""
    names: dict[str, None] = {}
    pending: list[Any] = [schema]
    while pending:
        found = pending.pop()
        if isinstance(found, Mapping):
            for listed in (found.get("properties"), found.get("required")):
                named = listed if isinstance(listed, list | Mapping) else ()
                names |= dict.fromkeys(name for name in named if isinstance(name, str))
        inner = found.values() if isinstance(found, Mapping) else found
        pending += [each for each in inner if isinstance(each, list | Mapping)]
    return names


def _free(name: str, taken: Collection[str]) -> str:
    start = _REFUSED.sub("_", name).strip("_")[:_LONGEST] or "field"
    if start not in taken:
        return start
    for number in count(2):
        suffix = f"_{number}"
        if (free := start[: _LONGEST - len(suffix)] + suffix) not in taken:
            return free
    raise AssertionError("There is always another number.")
