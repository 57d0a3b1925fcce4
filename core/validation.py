"""Validation that the models and verbs of every app share."""

import re
from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.utils.translation import gettext, gettext_lazy

from core.errors import Conflict

TAKEN = {"taken", "unique"}
no_nul = ProhibitNullCharactersValidator()
"""PostgreSQL stores no NUL in a text: this refuses it with a message, before the database fails on it."""
name_taken: dict[str, Any] = {
    "violation_error_code": "taken",
    "violation_error_message": gettext_lazy("The name is taken: names differ by more than their case."),
}


_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, ANSI escapes (ECMA-48) among them, and those that reorder text (Unicode TR 36)."""
_INVISIBLE_IN_LINES = re.compile(_INVISIBLE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b\x0c\x0e-\x1f"))
"""The same in a text of several lines."""


def clean(row: models.Model, *, changed: Collection[str] | None = None) -> None:
    """Validates a row. Raises ValidationError, or Conflict if nothing is wrong but that a name is taken.

    `changed`: of a stored row, the names of the fields with new values. The others are not asked of the
    database again: whether they are unique, and whether what they refer to exists.
    """
    try:
        if _INVISIBLE.search(getattr(row, "name", "")):
            raise ValidationError(
                {"name": gettext("A name has no control characters, and none that reorder text.")}
            )
        row.full_clean(exclude=None if changed is None else _other_fields(row, changed))
    except ValidationError as error:
        errors = at_their_fields(error)
        if all(each.code in TAKEN for messages in errors.values() for each in messages):
            raise Conflict(" ".join(error.messages), "already_taken", field=next(iter(errors))) from error
        raise ValidationError(errors) from error


def _other_fields(row: models.Model, changed: Collection[str]) -> set[str]:
    return {field.name for field in row._meta.fields if not {field.name, field.attname} & {*changed}}


def text_problem(text: str, *, most: int) -> str | None:
    """Returns what is wrong with a text that people and models are told; None where nothing is."""
    if len(text) > most:
        message = gettext("At most %(most)s characters: these are %(count)s.")
        return message % {"most": f"{most:,}", "count": f"{len(text):,}"}
    if _INVISIBLE_IN_LINES.search(text):
        return gettext("No control characters, and none that reorder text.")
    return None


def readable(text: str) -> str:
    """Returns a text without the characters that `text_problem` refuses."""
    return _INVISIBLE_IN_LINES.sub("", text)


def at_their_fields(error: ValidationError) -> dict[str, list[ValidationError]]:
    """Returns the errors by field: Django reports a constraint on lower(name) as one of the whole row."""
    errors: dict[str, list[ValidationError]] = {}
    for name, messages in error.error_dict.items():
        for each in messages:
            errors.setdefault("name" if each.code == "taken" else name, []).append(each)
    return errors
