"""Django's own `migrate`, which waits for a lock as often as need be, and never for long."""

import time
from typing import Any

import psycopg
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError

ATTEMPTS, PAUSE_S = 12, 5.0


class Command(migrate.Command):
    help = "Bring the database to this version, while the last one may still run"

    def handle(self, *args: Any, **options: Any) -> None:
        """Between two attempts whoever waits behind the migration goes on. What is applied stays applied."""
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
        raise CommandError(
            "Something else holds a table that has to be changed: a backup, or a transaction that was left "
            "open (pg_stat_activity shows it). Of the migration that waits nothing was done: migrate again."
        )
