from django.core.exceptions import ValidationError
from django.db import models

from apikeys.errors import Conflict

TAKEN = {"taken", "unique"}


def clean(row: models.Model) -> None:
    """Raises ValidationError, or Conflict where nothing is wrong but that a name is taken."""
    try:
        row.full_clean()
    except ValidationError as error:
        if all(each.code in TAKEN for errors in error.error_dict.values() for each in errors):
            raise Conflict(" ".join(error.messages), "already_taken") from error
        raise
