"""JSON Schema at a bounded cost: whether a schema is one, and whether a value fits it.

Both are Python, which runs for as long as a caller likes: a schema of 20,000 properties took 37 s, 20 lines
of references that double themselves took minutes, `uniqueItems` compares every item with every other.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from jsonschema_specifications import REGISTRY
from referencing import Registry

MOST_PROPERTIES = 5_000
"""OpenAI's own limit."""
MOST_MEMBERS = 25_000
BOUNDED_BYTES = 20_000
"""A schema whose JSON is no longer is within both: a property takes `"":0,` at least, a value `0,`."""
MOST_STEPS = 100_000
_COMPARED = 100
_MESSAGE_A_STEP = 100
_REFERENCE = 5
_VOCABULARIES = (
    "core", "applicator", "unevaluated", "validation", "meta-data", "format-annotation", "content",
)  # fmt: skip
_META = "https://json-schema.org/draft/2020-12/meta/"
Check = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class TooLarge(ValueError):
    """A schema that is over a limit. The text is for people."""


class TooCostly(Exception):
    """A value that cannot be checked within as many steps as are allowed."""


def require_bounded(schema: Mapping[str, Any]) -> None:
    """Raises TooLarge."""
    members = properties = 0
    pending: list[Any] = [schema]
    while pending:
        found = pending.pop()
        members += len(found)
        if isinstance(found, Mapping):
            named = found.get("properties")
            properties += len(named) if isinstance(named, Mapping) else 0
        if properties > MOST_PROPERTIES:
            raise TooLarge(f"It has over {MOST_PROPERTIES:,} properties.")
        if members > MOST_MEMBERS:
            raise TooLarge(f"It has over {MOST_MEMBERS:,} keywords, properties and values.")
        inner = found.values() if isinstance(found, Mapping) else found
        pending += [each for each in inner if isinstance(each, list | Mapping)]


def _flat_metaschema() -> dict[str, Any]:
    """Returns the metaschema of draft 2020-12 in one piece.

    The original is eight schemas with dynamic references, and takes eight times as long.
    """
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for name in _VOCABULARIES:
        contents: Any = REGISTRY.contents(_META + name)
        properties |= _static(contents["properties"])
        definitions |= _static(contents.get("$defs", {}))
    return {"type": ["object", "boolean"], "properties": properties, "$defs": definitions}


def _static(found: Any) -> Any:
    if isinstance(found, list):
        return [_static(each) for each in found]
    if not isinstance(found, dict):
        return found
    # As a keyword its value is a text; the metaschema also describes a property of that name.
    if isinstance(found.get("$dynamicRef"), str):
        return {"$ref": "#"}
    return {name: _static(each) for name, each in found.items()}


METASCHEMA = Draft202012Validator(_flat_metaschema())

_steps: ContextVar[list[int]] = ContextVar("_steps")


def _counted(check: Check, cost: int) -> Check:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _spend(cost + (len(value) if isinstance(value, list | dict) else 0))
        for error in check(validator, value, instance, schema) or ():
            # A message quotes the value that does not fit, which may be the whole answer.
            _spend(len(error.message) // _MESSAGE_A_STEP)
            yield error

    return run


def _spend(steps: int) -> None:
    left = _steps.get()
    left[0] -= steps
    if left[0] < 0:
        raise TooCostly


def _unchecked(*_: Any) -> Iterator[ValidationError]:
    return iter(())


_compare_all = Draft202012Validator.VALIDATORS["uniqueItems"]


def _unique_items(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
    if not isinstance(instance, list) or len(instance) <= _COMPARED:
        return _compare_all(validator, value, instance, schema)
    texts = {orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in instance}
    is_unique = len(texts) == len(instance)
    return iter(() if is_unique or not value else (ValidationError("The items are not unique."),))


_CHECKS: dict[str, Check] = {
    **Draft202012Validator.VALIDATORS,
    "uniqueItems": _unique_items,
    "pattern": _unchecked,
    "format": _unchecked,
}
_COSTS = {"$ref": _REFERENCE, "$dynamicRef": _REFERENCE}
_Validator = extend(
    Draft202012Validator, {name: _counted(check, _COSTS.get(name, 1)) for name, check in _CHECKS.items()}
)


def validator(schema: Mapping[str, Any]) -> Any:
    """Returns what `errors` checks values by. To make it costs as much as to check a small value."""
    return _Validator(schema, registry=Registry())


def errors(by: Any, value: Any, *, most_steps: int = MOST_STEPS) -> Iterator[ValidationError]:
    """Yields what does not fit the schema of a validator. Raises TooCostly, RecursionError and Unresolvable.

    The keywords `pattern` and `format` are not checked: a caller's regular expression can run for ever.
    """
    _steps.set([most_steps])
    found: Iterator[ValidationError] = by.iter_errors(value)
    return found
