"""Encrypts every stored secret anew, so that an old key can be removed."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from tools.secrets.encryption import UndecryptableSecret, Unreadable, encrypted_columns


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret anew, with the first of SECRET_ENCRYPTION_KEYS. "
        "Afterwards the others can be removed from it."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> str:
        try:
            count = sum(map(_reencrypt, apps.get_models()))
        except UndecryptableSecret as error:
            raise CommandError(str(error)) from error
        return f"{count} rows are encrypted with the first of SECRET_ENCRYPTION_KEYS."


def _reencrypt(model: type[models.Model]) -> int:
    """Encrypts the secrets of all rows of a model. Returns the number of rows."""
    names = encrypted_columns(model)
    if not names:
        return 0
    pks = list(model._default_manager.values_list("pk", flat=True))
    for pk in pks:
        one = model._default_manager.filter(pk=pk)
        # Read under a lock: a change made meanwhile must not be overwritten with the older secret.
        for row in one.select_for_update().only("pk", *names):
            # Not `save`: nothing has changed as far as versions, times and the audit trail go.
            values = {name: getattr(row, name) for name in names}
            if any(isinstance(value, Unreadable) for value in values.values()):
                raise UndecryptableSecret(f"A secret of {model._meta.verbose_name} {pk}")
            one.update(**values)
    return len(pks)
