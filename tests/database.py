"""Databases for tests: migrated once, and after a test that has committed as the migrations left them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase

COPIES = "as_migrated"  # a schema of the test database


def create(name: str, *, template: str = "template1") -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")


def reconnect() -> None:
    connection.close()
    connection.close_pool()


@contextmanager
def connected_to(name: str) -> Iterator[None]:
    """Connects the ORM of the test process to this database."""
    settings = connection.settings_dict
    other, settings["NAME"] = settings["NAME"], name
    reconnect()
    try:
        yield
    finally:
        settings["NAME"] = other
        reconnect()


@contextmanager
def restored_after_tests(blocker: Any) -> Iterator[None]:
    """Deletes what a test has committed, after it, from those tables of the test database that have rows.

    Django truncates all of them, and loses what the migrations inserted: that takes 0.3 s after each test.
    There is no test database if no test of this run wants one.
    """
    with blocker.unblock(), connection.cursor() as cursor:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        filled = _filled(cursor, tables)
        _copy(cursor, filled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: _restore(tables, filled))
        yield
    with blocker.unblock():
        _end_other_connections()


def _end_other_connections() -> None:
    """Those of async tests' threads: the test database cannot be dropped before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _filled(cursor: CursorWrapper, tables: Iterable[str]) -> set[str]:
    return _true(cursor, {table: f"EXISTS (TABLE {table})" for table in tables})


def _true(cursor: CursorWrapper, conditions: dict[str, str]) -> set[str]:
    """Returns the names of the conditions that are true."""
    if not conditions:
        return set()
    cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE {each}" for name, each in conditions.items()))
    return {name for (name,) in cursor.fetchall()}


def _copy(cursor: CursorWrapper, tables: Iterable[str]) -> None:
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {COPIES}")
    for table in tables:
        cursor.execute(f"CREATE TABLE {COPIES}.{table} AS TABLE {table}")


@transaction.atomic
def _restore(tables: list[str], filled: set[str]) -> None:
    with connection.cursor() as cursor:
        # Waits for whoever is writing still, as a truncation does.
        cursor.execute(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE")
        changed = _true(cursor, {table: _differs(table) for table in filled})
        for table in changed | (_filled(cursor, tables) - filled):
            cursor.execute(f"DELETE FROM {table}")
        for table in changed:
            cursor.execute(f"INSERT INTO {table} TABLE {COPIES}.{table}")


def _differs(table: str) -> str:
    copy = f"{COPIES}.{table}"
    return f"EXISTS ((TABLE {table} EXCEPT TABLE {copy}) UNION ALL (TABLE {copy} EXCEPT TABLE {table}))"
