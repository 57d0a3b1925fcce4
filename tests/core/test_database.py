"""Queries from an event loop: each has a deadline, in a thread of its own, on a connection that gives up."""

import asyncio
import threading
import time
from typing import Any

import django.db
import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from core import bounded_connection, database
from core.bounded_connection import BoundedConnection
from core.database import in_thread, in_thread_until_done

pytestmark = pytest.mark.django_db(transaction=True)

ASYNCIO_THREADS = 32
"""As many as the executor of asyncio has at most."""


def slept(seconds: float) -> float:
    """Has PostgreSQL sleep, and returns the seconds that this took."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])
    return time.monotonic() - began


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "DEADLINE_S", 0.4)


@pytest.mark.usefixtures("short_deadline")
async def test_a_query_is_given_up_at_its_deadline() -> None:
    began = time.monotonic()
    with pytest.raises(django.db.OperationalError, match="did not answer in time"):
        await in_thread(slept)(30)
    assert time.monotonic() - began < 15


@pytest.mark.usefixtures("short_deadline")
async def test_its_thread_and_its_connection_are_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def query() -> None:
        try:
            slept(30)
        finally:
            ended.set()

    with pytest.raises(django.db.OperationalError):
        await in_thread(query)()
    assert await asyncio.to_thread(ended.wait, 15)
    monkeypatch.setattr(database, "DEADLINE_S", 15)
    await in_thread(slept)(0)


@pytest.mark.usefixtures("short_deadline")
async def test_more_queries_than_threads_are_given_up_all_the_same() -> None:
    began = time.monotonic()
    queries = [in_thread(slept)(30) for _ in range(settings.MAX_DB_CONNECTIONS * 3)]
    outcomes = await asyncio.gather(*queries, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {django.db.OperationalError}
    assert time.monotonic() - began < 15


async def test_they_leave_the_threads_of_asyncio_alone() -> None:
    is_over = threading.Event()
    queries = [asyncio.ensure_future(in_thread_until_done(is_over.wait)(30)) for _ in range(ASYNCIO_THREADS)]
    await asyncio.sleep(0)  # They are in their threads, or wait for one.
    try:
        async with asyncio.timeout(10):
            await asyncio.to_thread(time.sleep, 0)
        assert not any(query.done() for query in queries)
    finally:
        is_over.set()
        await asyncio.gather(*queries)


@pytest.mark.usefixtures("short_deadline")
async def test_a_batch_has_no_deadline() -> None:
    assert await in_thread_until_done(slept)(0.8) >= 0.8


async def test_an_error_of_the_query_is_raised_as_it_is() -> None:
    def query() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await in_thread(query)()


async def test_the_context_of_the_caller_is_there() -> None:
    from config.request_ids import request_id

    request_id.set("req_5f1c")
    assert await in_thread(request_id.get)() == "req_5f1c"


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def test_every_statement_has_a_limit() -> None:
    assert shown("statement_timeout") == "30s"


def test_a_server_that_does_not_enforce_the_limit_is_given_up(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(bounded_connection, "_GRACE_S", 0.1)
    settings.DATABASE_TIMEOUT_S = 0.3
    began = time.monotonic()
    with pytest.raises(django.db.OperationalError):
        slept(30)  # its statement_timeout is still 30 s
    assert time.monotonic() - began < 15
    connection.close()
    settings.DATABASE_TIMEOUT_S = 15
    slept(0)


def test_without_a_limit_it_is_waited_for(settings: Any) -> None:
    settings.DATABASE_TIMEOUT_S = 0
    assert slept(0.3) >= 0.3


def test_migrations_have_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def observe(*, using: str, **_: Any) -> None:
        seen.append((shown("statement_timeout"), connection.connection.is_bounded))

    django.db.models.signals.pre_migrate.connect(observe)
    try:
        call_command("migrate", verbosity=0)
    finally:
        django.db.models.signals.pre_migrate.disconnect(observe)
    assert set(seen) == {("0", False)}
    assert (shown("statement_timeout"), connection.connection.is_bounded) == ("30s", True)


def test_options_of_the_address_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**connection.settings_dict["OPTIONS"], "options": "-c work_mem=5MB"}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", given)

    async def ask() -> Any:
        async with await database.connect() as raw:
            cursor = await raw.execute(
                "SELECT current_setting('work_mem'), current_setting('statement_timeout')"
            )
            return await cursor.fetchone()

    assert asyncio.run(ask()) == ("5MB", "3s")


def test_the_pool_makes_such_connections() -> None:
    slept(0)
    assert isinstance(connection.connection, BoundedConnection)
    assert issubclass(BoundedConnection, psycopg.Connection)
