"""Expressions in CEL: checked when a rule is saved, compiled once, evaluated for each call.

An evaluation cannot be interrupted: `assistants.rules.reading` refuses what could be slow, and `size_problem`
the arguments that could make it so.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from django.utils.translation import gettext
from pydantic_core import SchemaError, SchemaValidator, core_schema

from assistants.rules import reading, result_types
from assistants.rules.cel_library import cel
from assistants.rules.reading import InvalidExpression

LONGEST = 4 * 1024
MOST_ARGUMENT_BYTES, MOST_ITEMS = 64 * 1024, 1_000
LONGEST_PATTERN, MOST_REPETITIONS = 500, 100
_REPETITION = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_PARSER_ERROR = re.compile(r'\bmsg: "((?:[^"\\]|\\.)*)"')
"""Where the library shows its own error, this is what it says to people."""
_FUNCTIONS = {
    "size", "contains", "startsWith", "endsWith", "matches", "string", "double", "int", "uint", "bytes",
    "timestamp", "duration", "type", "dyn", "getFullYear", "getMonth", "getDate", "getDayOfMonth",
    "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
}  # fmt: skip

Patterns = dict[str, SchemaValidator]
"""Compiled patterns by their source. Pydantic's are the same library's as CEL's: linear in their text."""


class EvaluationFailed(Exception):
    """An expression that says neither yes nor no of a call. Its text is for models and people."""


class Expression:
    """A compiled expression. Threads may share it."""

    def __init__(self, source: str) -> None:
        """Raises InvalidExpression."""
        if len(source.encode(errors="surrogatepass")) > LONGEST:
            raise InvalidExpression(gettext("At most %s bytes.") % f"{LONGEST:,}")
        original = _compiled(source)
        if unknown := sorted(filter(_is_unknown, original.functions())):
            message = gettext("There is no function `%(name)s`. There are %(known)s.")
            known = ", ".join(sorted(_FUNCTIONS))
            raise InvalidExpression(message % {"name": unknown[0], "known": known})
        self._source = source
        read = reading.read(source)
        self.names = frozenset(read.names)
        self.patterns: Patterns = dict(map(_pattern, read.patterns))
        self._program = _compiled(read.source)
        if others := set(self._program.variables()) - read.names - read.own:
            raise reading.unknown(min(others))

    def require_boolean(self) -> None:
        """Raises InvalidExpression where its value is never true or false. Before a rule is saved, that is.

        One that is stored denies what it is about; as a rule that cannot be read it would deny every call.
        """
        is_so = result_types.may_be_boolean(self._source)
        if is_so and not self.names:  # a constant
            try:
                self.holds(context({}, self.patterns))
            except EvaluationFailed:
                is_so = False
        if not is_so:
            raise InvalidExpression(
                gettext(
                    "The value is never true or false: the rule would deny every call that it is about."
                    " Compare something, for example call.arguments.amount > 100."
                )
            )

    def holds(self, context: cel.Context) -> bool:
        """Evaluates it. Raises EvaluationFailed."""
        try:
            value = self._program.execute(context)
        except Exception as error:  # the library raises whatever fits, and RuntimeError for panics
            raise EvaluationFailed(_told(error)) from error
        if not isinstance(value, bool):
            raise EvaluationFailed(f"its value is of type {type(value).__name__}, not true or false")
        return value


def context(values: Mapping[str, Any], patterns: Patterns) -> cel.Context:
    """Returns what expressions are evaluated in, for one call. Raises EvaluationFailed."""

    def matched(text: Any, pattern: str) -> bool:
        if not isinstance(text, str):
            raise TypeError("only a text matches a pattern")
        return patterns[pattern].isinstance_python(text)

    try:
        return cel.Context(dict(values), {reading.OUR_MATCHES: matched})
    except (ValueError, TypeError, OverflowError) as error:
        raise EvaluationFailed("its arguments cannot be read") from error


def size_problem(arguments: Mapping[str, Any]) -> str | None:
    """Returns why no expression may be evaluated over these arguments; None where it may."""
    try:
        size = len(orjson.dumps(arguments))
    except TypeError:  # numbers beyond 64 bits, broken Unicode, deep nesting
        return "its arguments cannot be written as JSON"
    if size > MOST_ARGUMENT_BYTES:
        return f"its arguments have more than {MOST_ARGUMENT_BYTES:,} bytes"
    return (
        f"a list in its arguments has more than {MOST_ITEMS:,} items" if _has_long_list(arguments) else None
    )


def _has_long_list(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) > MOST_ITEMS or any(map(_has_long_list, value))
    return isinstance(value, Mapping) and any(map(_has_long_list, value.values()))


def _is_unknown(name: str) -> bool:
    return name.isidentifier() and name not in _FUNCTIONS  # operators are no identifiers: `_+_`


def _compiled(source: str) -> cel.Program:
    try:
        return cel.compile(source)
    except Exception as error:  # ValueError, and RuntimeError for panics of the parser
        found = _PLACE.search(str(error))
        if found is None:
            raise InvalidExpression(gettext("This is no expression in CEL.")) from error
        message = gettext("Line %(line)s, column %(column)s: %(problem)s")
        line, column, problem = found.groups()
        if told := _PARSER_ERROR.search(problem):
            problem = told[1]
        raise InvalidExpression(message % {"line": line, "column": column, "problem": problem}) from error


def _pattern(literal: str) -> tuple[str, SchemaValidator]:
    """Returns a pattern and what it is compiled to, from a literal in an expression."""
    pattern = _compiled(literal).execute()
    if not isinstance(pattern, str):
        raise InvalidExpression(gettext("A pattern is a text, not bytes."))
    repetitions = sum(int(most or least) for least, most in _REPETITION.findall(pattern))
    if len(pattern) > LONGEST_PATTERN or repetitions > MOST_REPETITIONS:
        message = gettext("A pattern has at most %(length)d characters and %(most)d repetitions such as {3}.")
        raise InvalidExpression(message % {"length": LONGEST_PATTERN, "most": MOST_REPETITIONS})
    try:
        # The library's own limit of a pattern's size is the stricter one.
        _compiled(f"''.matches({literal})").execute()
        return pattern, SchemaValidator(core_schema.str_schema(pattern=pattern))
    except (RuntimeError, SchemaError) as error:
        message = gettext("The pattern %s is none that can be used: it is broken or too large.")
        raise InvalidExpression(message % literal[:100]) from error


def _told(error: Exception) -> str:
    """Returns what went wrong without the library's advice, which takes the rest of its text."""
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error).split(". ", 1)[0][:200]
