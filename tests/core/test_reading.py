"""Statements that only read, on a few connections of an event loop."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import django.db
import pytest
from django.db import connection

from core import reading
from tests.connector.conftest import orm

pytestmark = pytest.mark.django_db(transaction=True)
PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def shared() -> AsyncIterator[None]:
    async with reading.lifespan():
        yield


async def pid() -> int:
    [(number,)] = await reading.fetch(PID, ())
    return int(number)


@pytest.mark.usefixtures("shared")
async def test_statements_share_a_connection_that_has_prepared_them() -> None:
    assert await pid() == await pid()
    [(prepared,)] = await reading.fetch(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement = %s", [PID]
    )
    assert prepared == 1


async def test_without_a_lifespan_each_has_a_connection_of_its_own() -> None:
    assert await pid() != await pid()


@pytest.mark.usefixtures("shared")
async def test_there_are_few_connections_however_many_statements_run() -> None:
    statement = "SELECT pg_backend_pid() FROM pg_sleep(0.05)"
    answers = await asyncio.gather(*(reading.fetch(statement, ()) for _ in range(20)))
    assert len({number for [(number,)] in answers}) == reading.MOST_CONNECTIONS


@pytest.mark.usefixtures("shared")
async def test_no_thread_is_needed() -> None:
    before = set(threading.enumerate())
    await pid()
    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("shared")
async def test_a_connection_that_died_while_idle_is_replaced() -> None:
    numbers = await asyncio.gather(*(reading.fetch(f"{PID} FROM pg_sleep(0.05)", ()) for _ in range(2)))
    dead = {number for [(number,)] in numbers}
    await orm(_terminate)(dead)
    assert await pid() not in dead


def _terminate(pids: set[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [list(pids)])


@pytest.mark.usefixtures("shared")
async def test_a_statement_that_is_too_slow_is_given_up_and_so_is_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = await pid()
    monkeypatch.setattr(reading, "DEADLINE_S", 0.3)
    began = time.monotonic()
    with pytest.raises(django.db.OperationalError, match="did not answer in time"):
        await reading.fetch("SELECT pg_sleep(30)", ())
    assert time.monotonic() - began < 3
    monkeypatch.setattr(reading, "DEADLINE_S", 15)
    assert await pid() != before


@pytest.mark.usefixtures("shared")
async def test_the_server_ends_a_statement_after_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "DEADLINE_S", 15)
    began = time.monotonic()
    with pytest.raises(django.db.OperationalError, match="too slow"):
        await reading.fetch("SELECT pg_sleep(30)", ())
    assert time.monotonic() - began < 6  # it was not tried again


async def test_a_database_that_is_away_is_the_error_of_the_orm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "gone")
    with pytest.raises(django.db.OperationalError, match="away"):
        await pid()


@pytest.mark.parametrize("statement", ["SELECT 1/0", "SELECT nothing"])
async def test_a_statement_that_is_refused_is_an_error_of_the_orm(statement: str) -> None:
    with pytest.raises(django.db.DatabaseError):
        await reading.fetch(statement, ())


@pytest.mark.usefixtures("shared")
async def test_a_prepared_statement_outlives_a_migration() -> None:
    await orm(_run)("CREATE TABLE changing (name varchar(5))")
    try:
        assert await reading.fetch("SELECT name FROM changing", ()) == []
        await orm(_run)("ALTER TABLE changing ALTER name TYPE varchar(9)")
        assert await reading.fetch("SELECT name FROM changing", ()) == []
    finally:
        await orm(_run)("DROP TABLE changing")


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
