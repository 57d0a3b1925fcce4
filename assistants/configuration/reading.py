"""A configuration file becomes a Document, or one message that says all that is wrong with it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

import pydantic
import yaml

from assistants.configuration.schema import SECTIONS, VERSION, Document
from core import plain_yaml
from core.printable import shown

LONGEST = 4 * 1024 * 1024
"""Bytes."""
_MOST_PROBLEMS = 20
_UNSTORABLE = "A text here holds a character that cannot be stored (NUL, or half of one)."


class InvalidConfiguration(ValueError):
    """A configuration that is not applied. The text is for people: one line a problem, without secrets."""


def read(raw: bytes) -> Document:
    """Reads a file. Raises InvalidConfiguration."""
    if len(raw) > LONGEST:
        raise InvalidConfiguration(f"The file is over {LONGEST:,} bytes.")
    loaded = _load(_text(raw))
    if not isinstance(loaded, dict):
        raise InvalidConfiguration(
            f"Give an object with `version: {VERSION}` and the sections: {', '.join(SECTIONS)}."
        )
    if (version := loaded.get("version")) != VERSION or isinstance(version, bool):
        kind = "the text " if isinstance(version, str) else ""
        said = f"is {kind}{str(version)[:64]!r}" if "version" in loaded else "is missing"
        raise InvalidConfiguration(f"version: It {said}, and this release reads `version: {VERSION}`.")
    require_storable(loaded)
    document = _validated(loaded)
    refuse(_twice(document))
    return document


def require_storable(loaded: Any) -> None:
    """Raises InvalidConfiguration for texts and numbers that the database cannot hold."""
    refuse(_unstorable(loaded))


def _validated(loaded: Any) -> Document:
    try:
        return Document.model_validate(loaded)
    except pydantic.ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    # Not within the handler: its error holds what was given, which may be a secret.
    raise _refusal([_said(each) for each in errors[:_MOST_PROBLEMS]], left=len(errors) - _MOST_PROBLEMS)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidConfiguration(f"The file is no text in UTF-8: line {line} is not.") from None


def _load(text: str) -> Any:
    try:
        return plain_yaml.load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = str(error.problem)
        if problem.startswith("but "):  # the second half of a sentence
            problem = f"{error.context}, {problem}"
        raise InvalidConfiguration(f"Not valid YAML{at}: {problem}.") from None
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, max(error.position, 0)) + 1
        raise InvalidConfiguration(f"Not valid YAML at line {line}: {error.reason}.") from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise InvalidConfiguration("Not valid YAML: it holds a number or a date that there is not.") from None


def refuse(problems: Iterator[str]) -> None:
    """Raises InvalidConfiguration where there is a problem, with all of them as far as people read them."""
    if told := list(islice(problems, _MOST_PROBLEMS)):
        raise _refusal(told, left=sum(1 for _ in problems))


def _refusal(problems: Sequence[str], *, left: int) -> InvalidConfiguration:
    more = [f"... and {left} more."] if left > 0 else []
    return InvalidConfiguration("\n".join([*problems, *more]))


def _said(error: Any) -> str:
    path, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        known = list(_model_at(path[:-1]).model_fields)
        return f"{_path(path)}: There is no such field.{_near(str(path[-1]), known)}"
    if kind == "missing":
        return f"{_path(path)}: It is required."
    if kind == "model_type":
        return f"{_path(path)}: Give an object."
    if kind == "value_error":
        return f"{_path(path)}: {error['ctx']['error']}"
    return f"{_path(path)}: {error['msg']}."


def _model_at(path: Sequence[str | int]) -> type[pydantic.BaseModel]:
    """Returns the model of the entry at a path of the document."""
    model: type[pydantic.BaseModel] = Document
    for step in path:
        field = model.model_fields.get(str(step))
        model = _model_in(field.annotation) or model if field else model
    return model


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    found = (_model_in(each) for each in getattr(annotation, "__args__", ()))
    return next((model for model in found if model), None)


def _near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3)
    return f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(known)}."


def _path(path: Sequence[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in path)
    return "".join(steps).removeprefix(".") or "the file"


def _unstorable(value: Any, *path: str | int) -> Iterator[str]:
    """Yields where there is a text or number that neither JSON nor a text of PostgreSQL holds."""
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= each <= "\udfff" for each in value)):
        yield f"{_path(path)}: {_UNSTORABLE}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{_path(path)}: Give a finite number."
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _unstorable(each, *path, at)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _unstorable(name, *path)
            yield from _unstorable(each, *path, str(name))


def _twice(document: Document) -> Iterator[str]:
    """Yields entries that are of one object. Names differ by more than their case."""
    for section in SECTIONS:
        seen: set[str] = set()
        for at, entry in enumerate(getattr(document, section) or ()):
            field = identity(section)
            name = getattr(entry, field)
            if name.lower() in seen:
                yield f"{section}[{at}].{field}: {name[:64]!r} is there twice."
            seen.add(name.lower())


def identity(section: str) -> str:
    """Returns the field by which an entry names its object."""
    return "slug" if section in {"servers", "assistants"} else "name"
