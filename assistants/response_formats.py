"""Checks answers against the `response_format` of a request: any JSON object, or one that fits a JSON Schema.

The keywords `pattern` and `format` are not checked: a caller's regular expression can run for ever.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jsonschema.exceptions import best_match
from referencing.exceptions import Unresolvable

from core import schema_checks
from core.schema_checks import METASCHEMA, TooCostly, TooLarge

_LONGEST_PROBLEM = 500
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL | re.IGNORECASE)


class InvalidSchema(ValueError):
    """A schema that no answer can be checked against. The text is for people."""


class InvalidAnswer(ValueError):
    """An answer that does not have the requested format. The text is for the model, which may try again."""


@dataclass(frozen=True, slots=True)
class Format:
    """A requested format: any JSON object, or with `schema` a JSON value that fits it."""

    schema: Mapping[str, Any] | None = None

    def read(self, answer: str) -> str:
        """Returns the JSON of an answer, without the Markdown fence around it. Raises InvalidAnswer."""
        fenced = _FENCED.fullmatch(answer)
        text = fenced[1] if fenced else answer
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidAnswer(f"It is not valid JSON: {error}") from error
        if self.schema is None and not isinstance(value, dict):
            raise InvalidAnswer("It is not a JSON object.")
        if problem := self._problem(value):
            raise InvalidAnswer(f"It does not fit the schema: {problem}")
        return text

    def _problem(self, value: Any) -> str | None:
        if self.schema is None:
            return None
        # An empty registry: the default one would fetch a `$ref` to a URL from the network.
        try:
            error = best_match(schema_checks.errors(schema_checks.validator(self.schema), value))
        except TooCostly:
            return "it takes too long to be checked."
        except (RecursionError, Unresolvable):
            # Only checking a value finds these: a schema that refers to itself without end, or to nothing.
            return "it cannot be checked."
        return f"{error.json_path}: {error.message}"[:_LONGEST_PROBLEM] if error else None


def requested(response_format: Mapping[str, Any] | None) -> Format | None:
    """Returns the format that `response_format` requests, or None if it allows any text."""
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return Format(schema)
        case {"type": "json_schema" | "json_object"}:
            return Format()
    return None


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises InvalidSchema for a schema that no answer can be checked against."""
    try:
        schema_checks.require_bounded(schema)
        error = next(METASCHEMA.iter_errors(schema), None)
    except TooLarge as problem:
        raise InvalidSchema(str(problem)) from None
    except RecursionError:
        raise InvalidSchema("It is nested too deeply.") from None
    if error is not None:
        raise InvalidSchema(f"{error.json_path}: {error.message}"[:_LONGEST_PROBLEM])
    # Its names are regular expressions as well, and checking `additionalProperties` would run them.
    if b'"patternProperties"' in orjson.dumps(schema):
        raise InvalidSchema("'patternProperties' is not supported.")
