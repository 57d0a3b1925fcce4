"""Database access from an event loop: the ORM in threads, and connections of psycopg without a thread."""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import cache, partial, wraps
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar

import django.db
import psycopg
from django.conf import settings
from django.db import connection, connections
from psycopg.abc import PQGen

from core import bounded_connection, metrics

DEADLINE_S = 4.0
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_S = 3
MIGRATION_LOCK_S = 5

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    django.db.OperationalError,
    django.db.InterfaceError,
    OSError,
    TimeoutError,
)
"""The errors of a database that cannot be reached or does not answer: of psycopg, the ORM and the network."""

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(query: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Makes a coroutine function of `query`, which uses the ORM. It runs in a thread.

    It raises django.db.OperationalError after DEADLINE_S, whether the thread has ended by then or not:
    callers of a process whose database is frozen must not wait for it.
    """

    @wraps(query)
    async def asynchronous(*args: P.args, **kwargs: P.kwargs) -> T:
        bounded = partial(_released, query, DEADLINE_S)
        try:
            async with asyncio.timeout(DEADLINE_S) as timeout:
                return await _run(partial(bounded, *args, **kwargs))
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise django.db.OperationalError("The database did not answer in time.") from error

    return asynchronous


def in_thread_until_done(query: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Makes the same without a deadline: for batches, in the background. Their statements have one each."""

    @wraps(query)
    async def asynchronous(*args: P.args, **kwargs: P.kwargs) -> T:
        return await _run(partial(_released, query, None, *args, **kwargs))

    return asynchronous


async def _run(call: Callable[[], T]) -> T:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads(), context.run, call)


@cache
def _threads() -> ThreadPoolExecutor:
    """Makes threads of their own for queries: asyncio's are used by DNS look-ups, and must not wait here."""
    return ThreadPoolExecutor(settings.MAX_DB_CONNECTIONS, thread_name_prefix="orm")


def _released(query: Callable[P, T], within_s: float | None, *args: P.args, **kwargs: P.kwargs) -> T:
    began, outcome = time.monotonic(), "ok"
    try:
        with nullcontext() if within_s is None else bounded_connection.deadline(within_s):
            return query(*args, **kwargs)
    except DATABASE_ERRORS:
        outcome = "error"
        raise
    finally:
        # Returns the connection to the pool. Django does that at the end of a request that its own handler
        # serves, but endpoints have another one, and background tasks none.
        connection.close()
        metrics.DATABASE_SECONDS.observe(time.monotonic() - began, outcome)
        _measure_pool()


def _measure_pool() -> None:
    pool = getattr(connection, "pool", None)
    if pool is not None:
        found = pool.get_stats()
        size, idle = found.get("pool_size", 0), found.get("pool_available", 0)
        metrics.DATABASE_CONNECTIONS.set(idle, "idle")
        metrics.DATABASE_CONNECTIONS.set(size - idle, "used")
        metrics.DATABASE_CONNECTIONS.set(found.get("requests_waiting", 0), "awaited")


def lift_statement_limit(*, using: str, **_: Any) -> None:
    """Lets statements on this thread's connection take as long as they do. A receiver of `pre_migrate`.

    They wait for a lock for a few seconds only, since whoever comes later waits behind them: a change of a
    table that waits for the end of a backup would stop the product until then.
    """
    _bound_statements(
        using, f"SET statement_timeout = 0; SET lock_timeout = '{MIGRATION_LOCK_S}s'", is_bounded=False
    )


def restore_statement_limit(*, using: str, **_: Any) -> None:
    """Undoes it. A receiver of `post_migrate`."""
    _bound_statements(using, "RESET statement_timeout; RESET lock_timeout", is_bounded=True)


def _bound_statements(using: str, statement: str, *, is_bounded: bool) -> None:
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute(statement)
        connections[using].connection.is_bounded = is_bounded


@contextmanager
def advisory_lock(name: str) -> Iterator[bool]:
    """Tries to hold PostgreSQL's session-level advisory lock of this name, and yields whether it is held.

    It never waits: where another connection, in whatever process, holds the lock, it yields False at once.
    The lock is held by a connection of its own, and ends with it.
    """
    # PostgreSQL names these locks by 64-bit integers. Its own hashtext() gives 32 bits: names might collide.
    key = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
    with session() as own:
        row = own.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        yield bool(row and row[0])


def session() -> psycopg.Connection[Any]:
    """Opens an autocommit connection to Django's database, for code without an event loop.

    Not the ORM's: a pooler between us and the database may give each of its transactions another session.
    """
    return psycopg.connect(**_parameters(), autocommit=True)


class Connection(psycopg.AsyncConnection[Any]):
    """A connection that is closed when a statement on it is given up.

    psycopg would ask the server to cancel the statement, and wait for that: a server that does not answer the
    statement does not answer this request either.
    """

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        with bounded_connection.read_only_is_an_outage(self):
            return await super().wait(gen, interval, timeout)

    async def cancel_safe(self, *, timeout: float = 0) -> None:
        self.pgconn.finish()


async def connect() -> psycopg.AsyncConnection[Any]:
    """Opens an autocommit connection to Django's database.

    Raises psycopg.OperationalError after at most 3 s; a statement on the connection fails after 3 s as well.
    """
    return await Connection.connect(**_parameters(), autocommit=True)


async def notifications(connection: psycopg.AsyncConnection[Any], *, within_s: float) -> list[psycopg.Notify]:
    """Returns notifications as soon as there are any, and an empty list after `within_s` seconds."""
    # psycopg's own waiting polls ten times a second, in every process. The event loop waits without polling;
    # it must not before psycopg's buffer is empty, since what has been read from the socket does not wake it.
    if buffered := [each async for each in connection.notifies(timeout=0)]:
        return buffered
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
    """Returns the parameters of Django's connection, as they are now: tests change the database's name.

    Where a pooler stands before the database, they are those of DATABASE_DIRECT_URL.
    """
    database = connections["default"].settings_dict
    if database["DISABLE_SERVER_SIDE_CURSORS"]:
        database = {**settings.DATABASE_DIRECT, "OPTIONS": settings.DATABASE_DIRECT.get("OPTIONS", {})}
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
        # Else a connection whose server vanished without a word would wait for TCP's own 15 minutes.
        "tcp_user_timeout": CONNECT_TIMEOUT_S * 1000,
        # The last one counts: settings.py gives the ORM's connections another.
        "options": f"{options.get('options', '')} -c statement_timeout={STATEMENT_TIMEOUT_S}s".strip(),
    }
