"""Whether the value of an expression can be true or false at all: the library checks no types. Pure.

An expression of another type judges no call: its rule denies whatever it is about. What cannot be known
before a call, such as an argument, may be true or false.
"""

from collections.abc import Sequence

from assistants.rules.reading import FIELDS, PLAIN
from assistants.rules.tokens import Token, tokens

_COMPARING = {"|", "&", "=", "<", ">"}
_COMPUTING = {"+", "-", "*", "/", "%"}
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_TELLING = {
    "has", "contains", "startsWith", "endsWith", "matches", "all", "exists", "exists_one", "existsOne", "dyn",
}  # fmt: skip
"""The functions whose values may be true or false."""
_NEVER = {"null", *PLAIN, *(f"{name}.{field}" for name, fields in FIELDS.items() for field in fields)}
"""What an expression can name that is a text, a list or an object."""

Tokens = Sequence[Token]


def may_be_boolean(source: str) -> bool:
    """Returns False where the value of an expression, which the library has parsed, is of another type."""
    return _may_be(tuple(tokens(source)))


def _may_be(of: Tokens) -> bool:
    outside = _outside(of)
    if (question := _first(of, outside, "?")) is not None:
        colon = next(at for at in outside if at > question and of[at].text == ":")
        return _may_be(of[question + 1 : colon]) or _may_be(of[colon + 1 :])
    signs = {of[at].text for at in outside if of[at].kind == "sign"}
    if signs & _COMPARING or any(of[at].kind == "name" and of[at].text == "in" for at in outside):
        return True
    if signs & _COMPUTING:
        return False
    return of[0].text == "!" or _operand_may_be(of)


def _operand_may_be(of: Tokens) -> bool:
    opening = _opening(of)
    if opening is not None:  # it ends with brackets
        before = of[opening - 1] if opening else None
        if before is None:
            return of[0].text == "(" and _may_be(of[1:-1])
        is_called = of[opening].text == "(" and before.kind == "name"
        return before.text in _TELLING if is_called else True
    if len(of) == 1 and of[0].kind in {"text", "number"}:
        return False
    return "".join(token.text for token in of) not in _NEVER


def _outside(of: Tokens) -> list[int]:
    """Returns where the tokens outside of all brackets are."""
    found, depth = [], 0
    for at, token in enumerate(of):
        step = _BRACKETS.get(token.text, 0) if token.kind == "sign" else 0
        if not depth and not step:
            found.append(at)
        depth += step
    return found


def _first(of: Tokens, outside: Sequence[int], sign: str) -> int | None:
    return next((at for at in outside if of[at].kind == "sign" and of[at].text == sign), None)


def _opening(of: Tokens) -> int | None:
    """Returns where the brackets begin that end with the last token; None where it closes none."""
    depth = 0
    for at in range(len(of) - 1, -1, -1):
        depth += _BRACKETS.get(of[at].text, 0) if of[at].kind == "sign" else 0
        if not depth:
            return at if at < len(of) - 1 else None
    return None
