"""Django's own `migrate`, which waits for a lock as often as need be, and never for long."""

import time
from contextlib import suppress
from typing import Any

import psycopg
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, OperationalError

from config import fit_database
from core import database
from core.bounded_connection import TakesNoWrites

ATTEMPTS, PAUSE_S = 12, 5.0
_LOCKED = (
    "Something else holds a table that has to be changed: a backup, or a transaction that was left "
    "open (pg_stat_activity shows it). Of the migration that waits nothing was done: migrate again."
)
_READ_ONLY = (
    "The database takes no writes, and nothing was changed: it is a standby, or was made read-only. "
    "Migrate the primary, or let it be written to."
)


class Command(migrate.Command):
    help = "Bring the database to this version, while the last one may still run"

    def handle(self, *args: Any, **options: Any) -> None:
        """Between two attempts whoever waits behind the migration goes on. What is applied stays applied."""
        try:
            self._migrate(*args, **options)
        except DatabaseError as error:
            if isinstance(error.__cause__, TakesNoWrites):
                raise CommandError(_READ_ONLY) from error
            if getattr(error.__cause__, "sqlstate", "") is None:
                raise  # there is no connection: manage.py says so
            raise CommandError(_refused(error)) from error
        if not options.get("app_label"):
            self._judge_what_is_ahead()

    def _migrate(self, *args: Any, **options: Any) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                self.stderr.write("Something else holds a table that has to be changed. Trying again ...")
                time.sleep(PAUSE_S)
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                    raise
        raise CommandError(_LOCKED)

    def _judge_what_is_ahead(self) -> None:
        """The version before may run on a newer one's database: so its `migrate` must succeed."""
        with database.session() as session:
            if ahead := fit_database.migrations_ahead(session):
                if unfit := fit_database.tables(session):
                    raise CommandError(f"{unfit.said} {unfit.remedy}")
                told = f"The database is ahead of this code, and was left as it is: {', '.join(ahead)}."
                self.stderr.write(told)


def _refused(error: DatabaseError) -> str:
    reason = str(error).strip().partition("\n")[0].removesuffix(".")
    if "vec" in reason:  # the extension, or one of its types: vector, halfvec, sparsevec
        with suppress(*database.DATABASE_ERRORS), database.session() as session:
            if unfit := fit_database.extension(session):
                return f"{unfit.said} {unfit.remedy}"
    return f"A change was refused, and not made: {reason}. What was applied before stays: migrate again."
