"""A database that can only be read: whoever must write is told so, as if it were away, and tries again."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import django.db
import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from apikeys.models import ApiKey
from assistants.mcp_endpoint.errors import rpc_error
from assistants.openai_api import errors as openai_errors
from config import health
from config.errors import exception_handler
from connector.leases import store as leases
from connector.leases.store import Owner
from connector.models import Worker
from core.background import BatchWriter
from core.bounded_connection import TakesNoWrites
from core.database import DATABASE_ERRORS, connect, in_thread
from core.recent import Recent
from tests.database import reconnect

pytestmark = pytest.mark.django_db(transaction=True)
REFUSE = "-c default_transaction_read_only=on"


@contextmanager
def reading_only() -> Iterator[None]:
    """Every new session of this process can only read."""
    options = connections["default"].settings_dict["OPTIONS"]
    before = options["options"]
    options["options"] = f"{before} {REFUSE}"
    reconnect()
    try:
        yield
    finally:
        options["options"] = before
        reconnect()


@pytest.fixture
def read_only() -> Iterator[None]:
    with reading_only():
        yield


def refused() -> django.db.OperationalError:
    with pytest.raises(django.db.OperationalError) as refusal:
        ApiKey.objects.create(name="never", key_hash="0" * 64)
    connection.close_if_unusable_or_obsolete()  # as at the end of a request
    return refusal.value


@pytest.mark.usefixtures("read_only")
def test_a_write_by_the_orm_fails_as_by_a_database_that_is_away() -> None:
    assert isinstance(refused().__cause__, TakesNoWrites)
    assert not ApiKey.objects.exists()  # by another connection: the next may reach a server that takes writes


def test_a_connection_that_takes_no_writes_is_given_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    refused()
    ApiKey.objects.create(name="now", key_hash="0" * 64)


@pytest.mark.usefixtures("read_only")
def test_a_lease_cannot_be_renewed_and_nothing_fails() -> None:
    async def register() -> None:
        database = leases.Database()
        try:
            await leases.register(database, Owner("w", "mcp@here", "host", "socket", ""))
        finally:
            await database.close()

    with pytest.raises(DATABASE_ERRORS) as refusal:
        asyncio.run(register())
    assert isinstance(refusal.value, TakesNoWrites)


@pytest.mark.usefixtures("read_only")
def test_a_connection_of_an_event_loop_is_closed() -> None:
    async def write() -> None:
        async with await connect() as session:
            with pytest.raises(TakesNoWrites):
                await session.execute("CREATE TABLE never ()")
            assert session.closed

    asyncio.run(write())


@pytest.mark.usefixtures("read_only")
def test_each_api_says_what_is_wrong() -> None:
    error = refused()
    answer = openai_errors.response(error)
    assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (503, "database_read_only")
    management = exception_handler(error, {})
    assert (management.status_code, management.data["error"]["type"]) == (503, "database_read_only")
    mcp = rpc_error(error, "/mcp", "")
    assert (mcp.status, "no changes" in mcp.message) == (503, True)


def test_ready_says_so_and_chats_may_go_on() -> None:
    Worker.objects.create(name="w", node="mcp@here", host_id="h", socket="s", seen_at=timezone.now())
    with reading_only():
        ready = asyncio.run(Recent(health._check_all, 0).get())
    assert ready == {"database": "read-only", "redis": "ok", "workers": "ok"}


def test_what_waits_to_be_written_is_written_later() -> None:
    @in_thread
    def store(names: Sequence[str]) -> None:
        for name in names:
            ApiKey.objects.create(name=name, key_hash=name.ljust(64, "0"))

    writer = BatchWriter("keys", store)

    async def written() -> None:
        async with writer.running():
            pass

    writer.add("later")
    with reading_only():
        asyncio.run(written())
    assert not ApiKey.objects.exists()
    asyncio.run(written())
    assert ApiKey.objects.filter(name="later").exists()


def test_the_console_says_so_too(admin_client: Client) -> None:
    admin_client.raise_request_exception = False
    with reading_only():
        page = admin_client.post("/admin/logout/")
    assert (page.status_code, "takes no changes" in page.content.decode()) == (503, True)
