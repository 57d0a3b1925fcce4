"""The change feed: its triggers, and the caches that it empties."""

import asyncio
import re
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from core import feed

pytestmark = pytest.mark.django_db
EVERY = frozenset({"every column"})
TRIGGERS = """
    SELECT relname, pg_get_triggerdef(pg_trigger.oid)
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE tgname LIKE 'mcp_connector_notify%'
"""


def columns_of(definition: str) -> frozenset[str]:
    """Returns the columns whose UPDATE fires a trigger; none if only INSERT and DELETE do."""
    if listed := re.search(r"UPDATE OF (.+?) O[RN] ", definition):
        return frozenset(name.strip(chr(34)) for name in listed[1].split(", "))  # words of SQL are quoted
    if "UPDATE" not in definition:
        return frozenset()
    return frozenset(re.findall(r"\bold\.(\w+)", definition, re.IGNORECASE)) or EVERY


@pytest.fixture
def installed(db: None) -> dict[str, frozenset[str]]:
    """The columns that fire the triggers of a migrated database, by table."""
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS)
        columns: dict[str, frozenset[str]] = {}
        for table, definition in cursor.fetchall():
            columns[table] = columns.get(table, frozenset()) | columns_of(definition)
    return columns


def test_triggers_fire_on_the_columns_that_models_declare(
    installed: dict[str, frozenset[str]],
) -> None:
    tables = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    declaring = {table for table, model in tables.items() if hasattr(model, "FEED_COLUMNS")}
    declared = {
        table: frozenset(getattr(tables[table], "FEED_COLUMNS", EVERY)) for table in {*installed, *declaring}
    }
    assert installed == declared, "A migration with core.feed.notify_on_change is needed."


def test_every_table_with_a_subscriber_has_a_trigger(installed: dict[str, frozenset[str]]) -> None:
    for module in ("config.application", "config.urls"):  # all that subscribes in a web process
        import_module(module)
    subscribed = {table for tables, _ in feed._subscribers for table in tables}
    assert subscribed
    assert subscribed <= installed.keys()


@pytest.mark.django_db(transaction=True)
async def test_a_subscriber_that_raises_does_not_end_the_feed(caplog: pytest.LogCaptureFixture) -> None:
    called: list[bool] = []

    def fail_once() -> None:
        called.append(True)
        if len(called) == 1:
            raise ValueError("a fault")

    feed.subscribe([], fail_once)
    try:
        async with feed.listening(), asyncio.timeout(20):
            while feed.max_age() != float("inf"):
                await asyncio.sleep(0.02)
    finally:
        feed._subscribers.pop()
    assert len(called) == 2
    assert "The change feed failed" in caplog.text
    assert "ValueError: a fault" in caplog.text
