"""Hints: what a server says of its tools in their annotations, and how far a rule believes it.

A server may say anything. Its hints are believed where staff have approved the definition; where they have
not, it counts as if it gave none, and what it says may only tighten.
"""

from collections.abc import Mapping
from typing import Any

from assistants.catalogue import FunctionEntry

DEFAULTS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
"""What a hint means that is not given, by the specification of MCP."""
Hints = Mapping[str, bool]


def claimed(function: FunctionEntry) -> Hints:
    """Returns the hints as the server gives them. Those that are no truth values count as absent."""
    given = {name: value for name, value in function.annotations.items() if _is_hint(name, value)}
    if given.get("readOnlyHint"):
        # The specification: what is destroyed means something only of tools that are not read-only.
        return {**DEFAULTS, "destructiveHint": False, **given}
    return {**DEFAULTS, **given}


def effective(function: FunctionEntry) -> Hints:
    """Returns the hints of a tool that may be believed."""
    return claimed(function) if function.is_trusted else DEFAULTS


def _is_hint(name: str, value: Any) -> bool:
    return name in DEFAULTS and isinstance(value, bool)
