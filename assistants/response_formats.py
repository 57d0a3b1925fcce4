"""What `response_format` asks of an answer, and what is wrong with one.

Patterns and formats of a schema are left to the model: a caller's regular expression can take for ever.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

_LONGEST_PROBLEM = 500
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL | re.IGNORECASE)


def _unchecked(*_: Any) -> Iterator[ValidationError]:
    return iter(())


_Validator = extend(Draft202012Validator, {"pattern": _unchecked, "format": _unchecked})


class InvalidSchema(ValueError):
    """The text is for people."""


class NotAsAsked(ValueError):
    """The text says what is wrong with an answer, to the model that gave it."""


@dataclass(frozen=True, slots=True)
class Format:
    """JSON: any object, or what a schema allows."""

    schema: Mapping[str, Any] | None = None

    def read(self, answer: str) -> str:
        """The answer without what a model likes to put around JSON. Raises NotAsAsked."""
        fenced = _FENCED.fullmatch(answer)
        text = fenced[1] if fenced else answer
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise NotAsAsked(f"It is not valid JSON: {error}") from error
        if self.schema is None and not isinstance(value, dict):
            raise NotAsAsked("It is not a JSON object.")
        if problem := self._problem(value):
            raise NotAsAsked(f"It does not fit the schema: {problem}")
        return text

    def _problem(self, value: Any) -> str | None:
        if self.schema is None:
            return None
        validator = _Validator(self.schema, registry=Registry())
        try:
            error = best_match(validator.iter_errors(value))
        except (RecursionError, Unresolvable):
            return "it cannot be checked."
        return f"{error.json_path}: {error.message}"[:_LONGEST_PROBLEM] if error else None


def wanted(response_format: Mapping[str, Any] | None) -> Format | None:
    """None where any text will do."""
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return Format(schema)
        case {"type": "json_schema" | "json_object"}:
            return Format()
    return None


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises InvalidSchema for one that no answer could be checked against."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InvalidSchema(f"{error.json_path}: {error.message}"[:_LONGEST_PROBLEM]) from None
    except RecursionError:
        raise InvalidSchema("It is nested too deeply.") from None
    if b'"patternProperties"' in orjson.dumps(schema):
        raise InvalidSchema("'patternProperties' is not supported.")
