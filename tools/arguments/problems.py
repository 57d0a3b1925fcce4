"""What is wrong with arguments, by path, in words that a model or a person can act upon."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError, best_match

from core.message import Message

_MOST = 10
_LONGEST_VALUE, _LONGEST_MESSAGE, _LONGEST_NAME = 60, 300, 64
_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """`path`: names of properties and indices of items, from the arguments down to the value at fault."""

    path: tuple[str | int, ...]
    message: str

    def where(self, names: Mapping[str, str] | None = None) -> str:
        """Returns the path as `arguments.items[2].id`. `names` replace those of properties."""
        return "arguments" + "".join(_step(step, names or {}) for step in self.path)


def problems(errors: Iterable[ValidationError]) -> list[Problem]:
    """Returns the first problems, each place once."""
    found: dict[tuple[str | int, ...], Problem] = {}
    for error in errors:
        for problem in _problems(error):
            found.setdefault(problem.path, problem)
    return list(found.values())[:_MOST]


def _problems(error: ValidationError) -> Iterator[Problem]:
    # Of alternatives that all fail, the one that comes closest tells most.
    error = best_match([error]) or error
    path = tuple(error.absolute_path)
    match error.validator:
        case "required" if isinstance(error.instance, dict):
            missing = [name for name in error.validator_value if name not in error.instance]
            yield from (
                Problem((*path, name), Message("is required, and missing or null."))
                for name in missing[:_MOST]
            )
        case "additionalProperties" if error.validator_value is False and isinstance(error.instance, dict):
            known = error.schema.get("properties", {})
            unknown = [name for name in error.instance if name not in known]
            yield from (Problem((*path, name), _unknown(known)) for name in unknown[:_MOST])
        case _:
            yield Problem(path, _message(error))


def _message(error: ValidationError) -> str:
    given, wanted = error.instance, error.validator_value
    match error.validator:
        case "type":
            message = _expected(" or ".join(_kinds(error)), given)
        case "enum":
            message = Message(
                "expected one of %(wanted)s, got %(given)s.", wanted=_json(wanted), given=_shown(given)
            )
        case "const":
            message = _expected(_json(wanted), given)
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf":
            message = _expected(f"{error.validator} {wanted}", given)
        case "minLength" | "maxLength" | "minItems" | "maxItems":
            rule = f"{error.validator} {wanted}"
            message = Message("expected %(wanted)s, got %(given)s.", wanted=rule, given=len(given))
        case "anyOf" | "oneOf" if kinds := dict.fromkeys(_kinds(error)):
            message = _expected(" or ".join(kinds), given)
        case "anyOf" | "oneOf":
            message = Message(
                "fits none of the alternatives, or several: got %(given)s.", given=_shown(given)
            )
        case keyword:
            message = Message(
                "does not fit the schema's '%(keyword)s': got %(given)s.",
                keyword=keyword,
                given=_shown(given),
            )
    return message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE]


def _expected(wanted: str, given: Any) -> Message:
    return Message("expected %(wanted)s, got %(given)s.", wanted=wanted, given=_shown(given))


def _kinds(error: ValidationError) -> Iterator[str]:
    """Yields the types that were expected, also in alternatives."""
    if error.validator == "type":
        yield from (
            error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        )
    for inner in error.context or ():
        if not inner.relative_path:
            yield from _kinds(inner)


def _unknown(known: Mapping[str, Any]) -> str:
    names = ", ".join(list(known)[:20])[: _LONGEST_MESSAGE - 30]
    return Message("is not known. Known are: %(names)s.", names=names) if names else Message("is not known.")


def _shown(value: Any) -> str:
    kind = _KINDS.get(type(value), type(value).__name__)
    return kind if value is None else f"{kind} {_json(value)}"


def _json(value: Any) -> str:
    # Only the beginning of a large value is written out.
    text = json.dumps(_beginning(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE * 3 else f"{text[: _LONGEST_VALUE * 3]}..."


def _beginning(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        return f"{value[:_LONGEST_VALUE]}..."
    if isinstance(value, list):
        return [_beginning(each) if not isinstance(each, list | dict) else "..." for each in value[:20]]
    if isinstance(value, dict):
        return {str(name)[:_LONGEST_NAME]: "..." for name in list(value)[:10]}
    return value


def _step(step: str | int, names: Mapping[str, str]) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{names.get(step, step)[:_LONGEST_NAME]}"
