"""Masks: values in the arguments of a call that its server must not see.

A text becomes MASKED and a number 0, so that the server gets the types that its schema asks for. Truth values
and null stay: a changed flag would change what the call does, and hides nothing. Of objects and lists every
value within is masked.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext

MASKED = "[masked]"
MOST_PATHS, LONGEST_PATH = 100, 500
_EVERY = "*"
_NAME = r"[^\s.\[\]*'\"$\x00-\x1f\ud800-\udfff]+"
_PATH = re.compile(rf"\$\.{_NAME}(?:\.{_NAME}|\[(?:\d{{1,6}}|\*)\])*")
_STEP = re.compile(rf"\.(?P<name>{_NAME})|\[(?P<index>\d+|\*)\]")

Mask = tuple[str | int, ...]
"""The steps of a path: names, positions in a list as numbers, and "*" in brackets as _EVERY."""


def read(path: Any) -> Mask:
    """Returns the mask that a path such as `$.cards[*].number` means. Raises ValueError with a message."""
    if not isinstance(path, str) or len(path) > LONGEST_PATH or not _PATH.fullmatch(path):
        raise ValueError(gettext("Give paths such as $.card.number, $.cards[0].number or $.cards[*].number."))
    return tuple(map(_step, _STEP.finditer(path)))


def _step(found: re.Match[str]) -> str | int:
    if found["name"] is not None:
        return found["name"]
    # A name has no "*" in it, so that this one cannot be mistaken for a name.
    return _EVERY if found["index"] == _EVERY else int(found["index"])


def masked(arguments: Mapping[str, Any], masks: Iterable[Mask]) -> dict[str, Any]:
    """Returns the arguments with these values masked; absent ones stay absent."""
    result: Any = dict(arguments)
    for mask in masks:
        result = _masked(result, mask)
    return result  # type: ignore[no-any-return]


def _masked(value: Any, steps: Mask) -> Any:
    if not steps:
        return _covered(value)
    step, *rest = steps
    if isinstance(value, list):
        chosen = range(len(value)) if step == _EVERY else (step,)
        return [_masked(each, tuple(rest)) if at in chosen else each for at, each in enumerate(value)]
    if isinstance(value, Mapping) and step != _EVERY and step in value:
        return {**value, step: _masked(value[step], tuple(rest))}
    return value


def _covered(value: Any) -> Any:
    if isinstance(value, str):
        return MASKED
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return 0
    if isinstance(value, Mapping):
        return {name: _covered(each) for name, each in value.items()}
    return [_covered(each) for each in value]
