"""A tool's arguments, checked against the schema of the tool before its server is asked.

Servers answer bad arguments with errors that name no field, or worse, not with an error. A schema that is
broken, too large or too costly to check never keeps a call from its server.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import orjson
from jsonschema.exceptions import ValidationError
from referencing.exceptions import Unresolvable

from core import off_loop, schema_checks
from core.schema_checks import METASCHEMA, TooCostly, TooLarge
from tools.arguments.mending import mended
from tools.arguments.problems import Problem, problems

log = logging.getLogger(__name__)

MOST_SCHEMA_BYTES = 256 * 1024
MOST_ARGUMENT_BYTES = 1024 * 1024
_COMPILING = 16
"""How many times as long it takes to check a schema as to read a body of its size: see `off_loop.SMALL`."""
_STEPS_IN_LOOP, _MOST_STEPS = 1_000, 20_000
_MOST_ERRORS, _MOST_PASSES = 20, 4
_NAMED = {"properties", "$defs", "definitions", "dependentSchemas"}
_DATA = {"enum", "const", "default", "examples"}
Schema = Mapping[str, Any]
Restore = Callable[[Any], Any]


class InvalidArguments(Exception):
    """Arguments that do not fit the tool's schema."""

    def __init__(self, found: list[Problem]) -> None:
        super().__init__(found)
        self.problems = found


@dataclass(frozen=True, slots=True)
class _Check:
    """`validator` is None where nothing can be checked against the schema."""

    validator: Any


def _unchanged(value: Any) -> Any:
    return value


async def checked(schema: Schema, arguments: dict[str, Any], restore: Restore = _unchanged) -> dict[str, Any]:
    """Returns the arguments, with harmless mistakes of models mended. Raises InvalidArguments.

    Mended are numbers, booleans, objects and arrays that are written as texts, and null for what may be
    absent, if the arguments fit then. `restore` gives properties within such texts their own names.
    """
    text, size = orjson.dumps(schema), len(orjson.dumps(arguments))
    if len(text) > MOST_SCHEMA_BYTES or size > MOST_ARGUMENT_BYTES:
        return arguments
    check = await off_loop.run(partial(_compiled, text), size=len(text) * _COMPILING)
    if check.validator is None:
        return arguments
    try:
        return _checked(check.validator, arguments, restore, _STEPS_IN_LOOP)
    except TooCostly:
        slow = partial(_checked, check.validator, arguments, restore, _MOST_STEPS)
    try:
        return await off_loop.run(slow, size=off_loop.SMALL + 1)
    except TooCostly:
        return arguments


def checked_here(schema: Schema, arguments: dict[str, Any]) -> dict[str, Any]:
    """As `checked`, for code that may take its time: not in an event loop."""
    text, size = orjson.dumps(schema), len(orjson.dumps(arguments))
    if len(text) > MOST_SCHEMA_BYTES or size > MOST_ARGUMENT_BYTES:
        return arguments
    check = _compiled(text)
    if check.validator is None:
        return arguments
    try:
        return _checked(check.validator, arguments, _unchanged, _MOST_STEPS)
    except TooCostly:
        return arguments


@lru_cache(maxsize=2048)
def _compiled(text: bytes) -> _Check:
    schema = orjson.loads(text)
    try:
        schema_checks.require_bounded(schema)
        is_sound = METASCHEMA.is_valid(schema)
        return _Check(schema_checks.validator(_without_patterns(schema)) if is_sound else None)
    except (TooLarge, RecursionError):
        return _Check(None)
    except Exception:  # a server's schema is a boundary, as below
        log.exception("A tool's schema cannot be used")
        return _Check(None)


def _without_patterns(schema: Any) -> Any:
    """Leaves out the keywords that would run a server's regular expressions, and what depends on them."""
    if isinstance(schema, list):
        return [_without_patterns(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = {"$schema", "unevaluatedProperties"}
    if "patternProperties" in schema:
        left_out |= {"patternProperties", "additionalProperties"}
    return {name: _kept(name, each) for name, each in schema.items() if name not in left_out}


def _kept(keyword: str, value: Any) -> Any:
    if keyword in _DATA:
        return value
    if keyword in _NAMED and isinstance(value, dict):
        return {name: _without_patterns(each) for name, each in value.items()}
    return _without_patterns(value)


def _checked(validator: Any, arguments: dict[str, Any], restore: Restore, steps: int) -> dict[str, Any]:
    """Raises InvalidArguments and TooCostly."""
    try:
        return _mended(validator, arguments, restore, steps)
    except (InvalidArguments, TooCostly):
        raise
    except (RecursionError, Unresolvable):  # only checking finds a schema that refers to nothing, or itself
        return arguments
    except Exception:  # a server's schema is a boundary: what it breaks here must not keep the call
        log.exception("A tool's schema cannot be used")
        return arguments


def _mended(validator: Any, arguments: dict[str, Any], restore: Restore, steps: int) -> dict[str, Any]:
    given = arguments
    found = _errors(validator, given, steps)
    for _ in range(_MOST_PASSES):
        given, is_changed = mended(given, found)
        if not is_changed:
            break
        given = restore(given)
        found = _errors(validator, given, steps)
    if found:
        raise InvalidArguments(problems(found))
    return given


def _errors(validator: Any, value: Any, steps: int) -> list[ValidationError]:
    return list(islice(schema_checks.errors(validator, value, most_steps=steps), _MOST_ERRORS))
