"""Reads what the library does not tell of an expression: its comprehensions, its patterns, what it names.

What cannot be interrupted must be cheap: no comprehension within another one, few of them, few additions and
none within a comprehension, and patterns that are known before any call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext

from assistants.rules.tokens import END, Token, tokens

FIELDS = {
    "call": ("server", "function", "arguments", "annotations", "labels"),
    "key": ("name", "prefix"),
    "assistant": ("slug",),
}
PLAIN = ("end_user", "touched")
COMPREHENSIONS = {"all", "exists", "exists_one", "existsOne", "filter", "map"}
MOST_COMPREHENSIONS, MOST_ADDITIONS = 5, 20
MATCHES, OUR_MATCHES = "matches", "matched"
"""Our own takes the place of the library's, which compiles its pattern in every evaluation. Equally long."""
_LITERALS = {"true", "false", "null", "in"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class InvalidExpression(ValueError):
    """An expression that no rule may have. Its text is for people."""


@dataclass(slots=True)
class Reading:
    """`source`: as it is compiled, with one variable for each field. `names`: the variables that it reads.

    One variable a field (`call_arguments`): the library copies an object whenever it reads a field of it.
    """

    source: str
    names: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    """The variables of its comprehensions."""
    patterns: list[str] = field(default_factory=list)
    """The constant patterns, as they are written: literals with their quotes."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A pair of brackets. `variable`: of the comprehension that it belongs to; "" where it is none."""

    variable: str = ""


def read(source: str) -> Reading:
    """Reads an expression that the library has parsed. Raises InvalidExpression."""
    return _Reader(source).read()


def unknown(name: str) -> InvalidExpression:
    """Returns the error of an expression that reads a variable which there is not."""
    message = gettext("`%(name)s` is not known. An expression knows %(known)s.")
    return InvalidExpression(message % {"name": name, "known": ", ".join((*FIELDS, *PLAIN))})


class _Reader:
    def __init__(self, source: str) -> None:
        self._tokens: Sequence[Token] = tuple(tokens(source))
        self._frames: list[_Frame] = []
        self._comprehensions = 0
        self._reading = Reading(source)

    def read(self) -> Reading:
        if sum(token.text == "+" for token in self._tokens) > MOST_ADDITIONS:
            raise InvalidExpression(gettext("At most %d additions.") % MOST_ADDITIONS)
        for at, token in enumerate(self._tokens):
            if token.kind == "name":
                self._read_name(at, token)
            elif token.kind == "sign":
                self._read_sign(at, token)
        return self._reading

    def _at(self, at: int) -> Token:
        return self._tokens[at] if 0 <= at < len(self._tokens) else END

    def _read_sign(self, at: int, token: Token) -> None:
        if token.text == "+" and self._is_in_comprehension:
            raise InvalidExpression(
                gettext("An addition must not stand within a comprehension (all, exists, filter, map).")
            )
        if token.text in _CLOSING:
            is_comprehension = self._opens_comprehension(at - 1)
            self._frames.append(_Frame(self._at(at + 1).text if is_comprehension else ""))
        elif token.text in _CLOSING.values() and self._frames:
            self._frames.pop()

    def _opens_comprehension(self, at: int) -> bool:
        name, after = self._at(at), self._at(at + 1)
        is_member = self._at(at - 1).text == "."
        return name.kind == "name" and name.text in COMPREHENSIONS and is_member and after.text == "("

    def _read_name(self, at: int, token: Token) -> None:
        is_called = self._at(at + 1).text == "("
        if self._at(at - 1).text == ".":
            if self._opens_comprehension(at):
                self._read_comprehension(at)
            elif token.text == MATCHES and is_called:
                self._read_pattern(at, token)
        elif token.text == MATCHES and is_called:
            raise InvalidExpression(gettext("Write text.matches('pattern'), with a constant pattern."))
        elif token.text not in _LITERALS and not is_called:
            self._read_variable(at, token)

    @property
    def _is_in_comprehension(self) -> bool:
        return any(frame.variable for frame in self._frames)

    def _read_comprehension(self, at: int) -> None:
        if self._is_in_comprehension:
            raise InvalidExpression(
                gettext("A comprehension (all, exists, filter, map) must not stand within another one.")
            )
        self._comprehensions += 1
        if self._comprehensions > MOST_COMPREHENSIONS:
            raise InvalidExpression(gettext("At most %d comprehensions.") % MOST_COMPREHENSIONS)
        variable = self._at(at + 2)
        if variable.kind != "name" or variable.text in (*FIELDS, *PLAIN):
            message = gettext("`%s` cannot be the variable of a comprehension: choose another name.")
            raise InvalidExpression(message % variable.text)
        self._reading.own.add(variable.text)

    def _read_pattern(self, at: int, token: Token) -> None:
        pattern, after = self._at(at + 2), self._at(at + 3)
        if pattern.kind != "text" or after.text != ")":
            raise InvalidExpression(
                gettext("The pattern of `matches` is a constant text, for example matches('^[0-9]+$').")
            )
        self._reading.patterns.append(pattern.text)
        self._replace(token.start, token.end, OUR_MATCHES)

    def _read_variable(self, at: int, token: Token) -> None:
        if any(frame.variable == token.text for frame in self._frames):
            return
        if token.text in PLAIN:
            self._reading.names.add(token.text)
            return
        if token.text not in FIELDS:
            raise unknown(token.text)
        self._read_field(at, token)

    def _read_field(self, at: int, token: Token) -> None:
        dot, name = self._at(at + 1), self._at(at + 2)
        if dot.text != "." or name.text not in FIELDS[token.text]:
            fields = ", ".join(f"{token.text}.{each}" for each in FIELDS[token.text])
            raise InvalidExpression(
                gettext("Of `%(name)s` there is %(fields)s.") % {"name": token.text, "fields": fields}
            )
        if self._at(at - 2).text == "has" and self._at(at - 1).text == "(" and self._at(at + 3).text == ")":
            message = gettext("`%s` is always there: `has` is for fields of the arguments.")
            raise InvalidExpression(message % f"{token.text}.{name.text}")
        variable = f"{token.text}_{name.text}"
        self._reading.names.add(variable)
        self._replace(token.start, name.end, variable)

    def _replace(self, start: int, end: int, text: str) -> None:
        """Writes `text` over what is there, as long as it was: the library's errors name columns."""
        source = self._reading.source
        self._reading.source = source[:start] + text.ljust(end - start) + source[end:]
