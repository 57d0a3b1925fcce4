"""The database for what runs in an event loop: connections without a thread, and the ORM in one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar

import django.db
import psycopg
from asgiref.sync import sync_to_async
from django.db import connection, connections

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_S = 3

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    django.db.OperationalError,
    django.db.InterfaceError,
    OSError,
    TimeoutError,
)
"""What a database that is away raises: through psycopg, through the ORM, or from the network."""

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(query: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """`query`, awaitable: it runs in a thread of its own, and leaves no connection behind."""

    @wraps(query)
    def releasing(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return query(*args, **kwargs)
        finally:
            connection.close()  # back to the pool: a door has no request_finished to do it

    return sync_to_async(releasing, thread_sensitive=False)


@contextmanager
def advisory_lock(name: str) -> Iterator[bool]:
    """Tries to hold PostgreSQL's session-level advisory lock of this name, and yields whether it is held.

    It never waits: where another connection, in whatever process, holds the lock, it yields False at once.
    The lock is released when the block ends, and by PostgreSQL itself where the connection is lost.
    """
    # PostgreSQL names these locks by 64-bit integers. Its own hashtext() gives 32 bits: names might collide.
    key = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        is_acquired = bool(cursor.fetchone()[0])
    try:
        yield is_acquired
    finally:
        if is_acquired:
            # By hand, although the lock would end with its connection: the pool reuses connections.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


class Connection(psycopg.AsyncConnection[Any]):
    """Giving up on a statement closes it: a server that does not answer would not hear of that either."""

    async def cancel_safe(self, *, timeout: float = 0) -> None:
        self.pgconn.finish()


async def connect() -> psycopg.AsyncConnection[Any]:
    """An autocommit connection to Django's database.

    Raises psycopg.OperationalError after at most 3 s; a statement on it fails after 3 s as well.
    """
    return await Connection.connect(**_parameters(), autocommit=True)


async def notifications(connection: psycopg.AsyncConnection[Any], *, within_s: float) -> list[psycopg.Notify]:
    """What has been NOTIFYed, as soon as there is anything; nothing after `within_s`.

    psycopg's own waiting looks ten times a second.
    """
    if waiting := [each async for each in connection.notifies(timeout=0)]:
        return waiting
    loop, readable, descriptor = asyncio.get_running_loop(), asyncio.Event(), connection.fileno()
    loop.add_reader(descriptor, readable.set)
    try:
        async with asyncio.timeout(within_s):
            await readable.wait()
    except TimeoutError:
        return []
    finally:
        loop.remove_reader(descriptor)
    return [each async for each in connection.notifies(timeout=0)]


def _parameters() -> dict[str, Any]:
    """Django's own settings at the time of the call: a test's database is another one."""
    database = connections["default"].settings_dict
    options = {name: value for name, value in database["OPTIONS"].items() if name != "pool"}
    named = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
    }
    return {
        **{name: value for name, value in named.items() if value},
        **options,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": CONNECT_TIMEOUT_S * 1000,
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S}s",
    }
