"""Secrets at rest: whether SECRET_ENCRYPTION_KEYS decrypts every one of them."""

from collections.abc import Iterator
from itertools import islice

from django.apps import apps
from django.db import models

from config.doctor.finding import Finding, failed, ok
from tools.secrets.encryption import Unreadable, encrypted_columns

_SHOWN = 5


def check_secrets() -> Iterator[Finding]:
    number, unreadable = 0, []
    for model in apps.get_models():
        for row, is_readable in _rows(model):
            number += 1
            if not is_readable:
                unreadable.append(f"{model._meta.verbose_name} {row}")
    if unreadable:
        named = ", ".join(islice(unreadable, _SHOWN)) + (", ..." if len(unreadable) > _SHOWN else "")
        yield failed(
            "Secrets",
            f"{len(unreadable)} of {number} rows cannot be decrypted: {named}.",
            "Restore the key that encrypted them in SECRET_ENCRYPTION_KEYS and restart, or enter them anew.",
        )
    else:
        yield ok("Secrets", f"all of {number} rows decrypt")


def _rows(model: type[models.Model]) -> Iterator[tuple[object, bool]]:
    """Yields the id of each row with secrets, and whether they decrypt."""
    names = encrypted_columns(model)
    if names:
        for pk, *values in model._default_manager.values_list("pk", *names).iterator():
            yield pk, not any(isinstance(value, Unreadable) for value in values)
