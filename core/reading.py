"""Statements that only read, from an event loop: without the ORM, and without a thread for each.

For statements that are sent often. Each is prepared once on each of a few connections, which stay open: to
plan the statement of a search takes as long as to search a hundred tools.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import django.db
import psycopg

from core.database import DEADLINE_S, connect

MOST_CONNECTIONS = 4
"""Of an event loop. More would hardly help: a statement that measures rows keeps a core busy."""

Rows = list[tuple[Any, ...]]
Parameters = Sequence[Any] | Mapping[str, Any]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Shares connections in this event loop. Without it every `fetch` opens one."""
    loop = asyncio.get_running_loop()
    _readers[loop] = reader = _Reader()
    try:
        yield
    finally:
        del _readers[loop]
        await reader.close()


def is_shared() -> bool:
    """Whether this event loop is within a `lifespan`."""
    return asyncio.get_running_loop() in _readers


async def fetch(statement: str, parameters: Parameters) -> Rows:
    """Returns the rows. The statement must only read: on a connection that has died it is sent again.

    Raises django.db.OperationalError after DEADLINE_S, or if the database is away, and else DatabaseError.
    """
    reader = _readers.get(asyncio.get_running_loop())
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await (reader.fetch(statement, parameters) if reader else _once(statement, parameters))
    except TimeoutError as error:
        raise django.db.OperationalError("The database did not answer in time.") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
        raise django.db.OperationalError("The database is away, or was too slow.") from error
    except psycopg.Error as error:  # by a fault of ours
        raise django.db.DatabaseError("The database refused the statement.") from error


class _Reader:
    """Open connections, each of which serves one statement at a time."""

    def __init__(self) -> None:
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._turns = asyncio.Semaphore(MOST_CONNECTIONS)

    async def fetch(self, statement: str, parameters: Parameters) -> Rows:
        async with self._turns:
            # The one that was used last, which has prepared the most.
            while self._idle:
                try:
                    return await self._on(self._idle.pop(), statement, parameters)
                except psycopg.errors.QueryCanceled:
                    raise  # it was too slow, and would be again
                except (psycopg.OperationalError, psycopg.errors.FeatureNotSupported):
                    continue  # it has died while nobody used it, or a migration has changed a column's type
            return await self._on(await _connected(), statement, parameters)

    async def _on(
        self, connection: psycopg.AsyncConnection[Any], statement: str, parameters: Parameters
    ) -> Rows:
        try:
            rows = await _rows(connection, statement, parameters, prepare=True)
        except BaseException:
            # Its state is unknown, be it by a failure or by a cancellation.
            await connection.close()
            raise
        self._idle.append(connection)
        return rows

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()


_readers: dict[asyncio.AbstractEventLoop, _Reader] = {}


async def _connected() -> psycopg.AsyncConnection[Any]:
    connection = await connect()
    # Else PostgreSQL would plan a prepared statement anew for each of its first five executions.
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    return connection


async def _once(statement: str, parameters: Parameters) -> Rows:
    async with await connect() as connection:
        return await _rows(connection, statement, parameters, prepare=False)


async def _rows(
    connection: psycopg.AsyncConnection[Any], statement: str, parameters: Parameters, *, prepare: bool
) -> Rows:
    # Binary, because most of what is read are numbers.
    cursor = await connection.execute(statement, parameters, prepare=prepare, binary=True)
    return await cursor.fetchall()
