"""A change of one row, by one transaction at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import models, transaction


@contextmanager
def locked(row: models.Model, *, is_locked: bool) -> Iterator[None]:
    """Holds a transaction and a lock on `row`, which holds what is stored.

    It is read anew, because a form of the admin has already changed its own row. `is_locked`: the caller has
    just read it with a lock, in a transaction that fails with this change. Then that one is joined.
    """
    with transaction.atomic(savepoint=not is_locked):
        if not is_locked:
            row.refresh_from_db(from_queryset=type(row)._default_manager.select_for_update())
        yield
