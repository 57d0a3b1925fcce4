"""Two texts side by side, line by line, with what differs. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import orjson

from core.admin.text import shown

MOST_LINES = 400
"""To compare takes time that grows with the square of the lines."""
MOST_CHARACTERS = 40_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of each side; None where a side has none. `differs`: it was removed, added or changed."""

    before: str | None
    after: str | None
    differs: bool


def side_by_side(before: Any, after: Any) -> list[Line]:
    """Returns the lines of two texts, or of the JSON of two values. Longer ones are cut, and say so."""
    return list(_lines(_split(before), _split(after)))


def _split(value: Any) -> list[str]:
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    lines = shown(text, most=MOST_CHARACTERS).split("\n")
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "…"]


def _lines(before: list[str], after: list[str]) -> Iterator[Line]:
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    for kind, left, left_end, right, right_end in matcher.get_opcodes():
        for number in range(max(left_end - left, right_end - right)):
            yield Line(
                before[left + number] if left + number < left_end else None,
                after[right + number] if right + number < right_end else None,
                differs=kind != "equal",
            )
