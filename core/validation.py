"""Validation that the models and verbs of every app share."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models

from core.errors import Conflict

TAKEN = {"taken", "unique"}
no_nul = ProhibitNullCharactersValidator()
"""PostgreSQL stores no NUL in a text: this refuses it with a message, before the database fails on it."""
name_taken: dict[str, Any] = {
    "violation_error_code": "taken",
    "violation_error_message": "The name is taken: names differ by more than their case.",
}


def clean(row: models.Model) -> None:
    """Validates a row. Raises ValidationError, or Conflict if nothing is wrong but that a name is taken."""
    try:
        row.full_clean()
    except ValidationError as error:
        if all(each.code in TAKEN for errors in error.error_dict.values() for each in errors):
            raise Conflict(" ".join(error.messages), "already_taken") from error
        raise
