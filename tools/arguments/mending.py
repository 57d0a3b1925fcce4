"""Harmless mistakes that models make in arguments: values of the right meaning and the wrong type."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from jsonschema.exceptions import ValidationError

_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*")
_NUMBER = re.compile(r"\s*[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,3})?\s*")
_BOOLEANS = {"true": True, "false": False}
_LONGEST_JSON = 256 * 1024
_NOTHING = object()
Path = tuple[str | int, ...]


def mended(arguments: dict[str, Any], errors: Iterable[ValidationError]) -> tuple[dict[str, Any], bool]:
    """Returns a copy of the arguments in which the errors are mended, as far as they can be.

    The second value tells whether any was. Whether they fit then is for the caller to see.
    """
    copy: Any = arguments
    is_changed = False
    for error in errors:
        path: Path = tuple(error.absolute_path)
        if not path:
            continue
        if error.instance is None and isinstance(path[-1], str):
            copy, is_changed = _without(copy, path), True
        elif (value := next(_candidates(error), _NOTHING)) is not _NOTHING:
            copy, is_changed = _with(copy, path, value), True
    return copy, is_changed


def _candidates(error: ValidationError) -> Iterator[Any]:
    """Yields what a text may mean, and be, in the place where it is."""
    if not isinstance(error.instance, str):
        return
    match error.validator:
        case "type":
            wanted = error.validator_value
            kinds = wanted if isinstance(wanted, list) else [wanted]
            yield from (value for kind in kinds for value in _read(error.instance, kind))
        case "enum" | "const":
            values = error.validator_value if error.validator == "enum" else [error.validator_value]
            yield from (value for value in values if _is_written(error.instance, value))
        case "anyOf" | "oneOf":
            for inner in error.context or ():
                if not inner.relative_path:
                    yield from _candidates(inner)


def _read(text: str, kind: str) -> Iterator[Any]:
    match kind:
        case "integer" if _INTEGER.fullmatch(text):
            yield int(text)
        case "number" if _NUMBER.fullmatch(text):
            yield int(text) if _INTEGER.fullmatch(text) else float(text)
        case "boolean" if text.strip().lower() in _BOOLEANS:
            yield _BOOLEANS[text.strip().lower()]
        case "object" | "array" if len(text) <= _LONGEST_JSON:
            if isinstance(value := _loaded(text), dict if kind == "object" else list):
                yield value


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_written(text: str, value: Any) -> bool:
    """Whether a text is how JSON writes a number or a boolean."""
    return isinstance(value, int | float) and text.strip().lower() == orjson.dumps(value).decode()


def _with(value: Any, path: Path, new: Any) -> Any:
    """Returns a copy with `new` at the path. Only what lies on the path is copied."""
    if not path:
        return new
    step, *rest = path
    copy = value.copy()
    copy[step] = _with(value[step], tuple(rest), new)
    return copy


def _without(value: Any, path: Path) -> Any:
    """Returns a copy without the member at the path, which another error may have removed already."""
    step, *rest = path
    copy = value.copy()
    if rest:
        copy[step] = _without(value[step], tuple(rest))
    else:
        copy.pop(step, None)
    return copy
