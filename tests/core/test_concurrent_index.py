"""Migrations wait for a lock for a few seconds, and indexes that they make concurrently for nobody."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from config.management.commands import migrate as command
from core import database
from core.concurrent_index import AddIndexConcurrently
from tests import database as databases

INDEX = models.Index(fields=["error"], name="test_error")


@pytest.fixture
def empty_database(migrated: str, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of its own, whose schema tests may change."""
    databases.create("changing", template=migrated)
    with django_db_blocker.unblock(), databases.connected_to("changing"):
        yield


def fetch(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def add_index() -> None:
    operation = AddIndexConcurrently("run", INDEX)
    before = MigrationLoader(connection).project_state(("assistants", "0033_bodies"))
    after = before.clone()
    operation.state_forwards("assistants", after)
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("assistants", editor, before, after)


@pytest.mark.usefixtures("empty_database")
def test_what_a_failed_attempt_has_left_is_replaced() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX test_error ON assistants_run (id)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'test_error'::regclass")
        cursor.execute("SET lock_timeout = '7s'")
    add_index()
    assert fetch("SELECT indisvalid FROM pg_index WHERE indexrelid = 'test_error'::regclass")
    assert "(error)" in fetch("SELECT pg_get_indexdef('test_error'::regclass)")
    assert fetch("SHOW lock_timeout") == "7s"
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


class Holder(threading.Thread):
    """Reads a table in a transaction that stays open, as a backup does."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self.statement = f"LOCK TABLE {table} IN ACCESS SHARE MODE"
        self.holds, self.release = threading.Event(), threading.Event()

    def run(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(self.statement)
            self.holds.set()
            self.release.wait(150)  # longer than all migrations take on a busy machine
            cursor.execute("COMMIT")
        connection.close()


@pytest.fixture
def holder() -> Iterator[Holder]:
    holder = Holder("assistants_runcancellation")
    yield holder
    holder.release.set()
    holder.join()


@pytest.mark.usefixtures("empty_database")
def test_a_migration_does_not_wait_behind_a_backup(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MIGRATION_LOCK_S", 0.2)
    monkeypatch.setattr(command, "PAUSE_S", 0.1)
    monkeypatch.setattr(command, "ATTEMPTS", 2)
    holder.start()
    assert holder.holds.wait(10)
    with pytest.raises(CommandError, match="pg_stat_activity"):
        call_command("migrate", "assistants", "0003", verbosity=0)
    assert fetch("SELECT to_regclass('assistants_runcancellation')")
    holder.release.set()
    holder.join()
    call_command("migrate", "assistants", "0003", verbosity=0)
    assert fetch("SELECT to_regclass('assistants_runcancellation')") is None
