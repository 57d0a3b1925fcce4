"""The lease store: which worker owns which slot. The database's clock is the only one that decides.

A claim raises the fence. Renewing, publishing and releasing change a row only while it is the owner's. When
no row was changed, somebody else was first, which is not an error.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from connector.host import clock
from connector.leases import sql
from connector.leases.observation import Observation, Slot
from connector.states import Phase, derive_status
from core.database import connect

QUERY_DEADLINE_S = 4.0
MODERN_SINCE = "2026"
SILENT_AFTER_S = 24 * 60 * 60.0
"""A worker that has not sent a heartbeat for so long is taken to be gone for ever."""
Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """A supervisor. It is reached by `socket` on its own host, by `address` (`host:port`) on others."""

    name: str
    node: str
    host_id: str
    socket: str
    address: str


class Owned(NamedTuple):
    """A slot that the database says is ours. `wanted`: it should run, with the settings of `generation`."""

    slot: Slot
    fence: int
    wanted: bool
    generation: int
    protocol_version: str

    @property
    def is_of_older_era(self) -> bool:
        """Whether its last owner found it so. Protocol versions are dates, which compare as text."""
        return "" < self.protocol_version < MODERN_SINCE


class Database:
    """One connection, opened when needed and again after a failure. Raises DATABASE_ERRORS without it.

    Not the ORM: its connections have no deadline, and would need a thread for each statement that waits.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    async def fetch(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        async with self._connected() as connection:
            return await _fetch(connection, statement, values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._connected() as connection, connection.transaction():
            yield connection

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        async with self._lock:
            try:
                # The server ends a statement after 3 s; this is for a server, or a network, that does not
                # answer.
                async with asyncio.timeout(QUERY_DEADLINE_S):
                    if self._connection is None:
                        self._connection = await connect()
                    yield self._connection
            except BaseException:
                # Its state is unknown, be it by a failure or by a cancellation: an answer may still be
                # coming.
                await self._drop()
                raise

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def register(database: Database, owner: Owner) -> None:
    """Adds the worker, or renews its heartbeat: it is alive and may claim servers."""
    await database.fetch(sql.REGISTER, **_as_values(owner))


async def begin_drain(database: Database, owner: Owner) -> None:
    """Excludes the worker from the count of those that share the servers."""
    await database.fetch(sql.BEGIN_DRAIN, name=owner.name)


async def deregister(database: Database, owner: Owner) -> None:
    """Frees the worker's slots, and deletes its row."""
    await prune(database, [owner.name])


async def renew(database: Database, owner: Owner, *, lease_s: float) -> dict[Slot, int]:
    """Renews the leases that have not expired; returns the fence of each."""
    rows = await database.fetch(sql.RENEW, name=owner.name, lease=lease_s)
    return {Slot(server, number): fence for server, number, fence in rows}


async def peers(database: Database, owner: Owner) -> list[str]:
    """Returns the names of the other owners that this host has, or had."""
    rows = await database.fetch(sql.PEERS, name=owner.name, host_id=owner.host_id)
    return [name for (name,) in rows]


async def prune(database: Database, names: Collection[str]) -> None:
    """Frees the slots of workers that are known to be gone, and deletes their rows."""
    # Slots first: their foreign key forbids deleting the row of a worker that holds one.
    await database.fetch(sql.FREE_SLOTS, names=list(names))
    await database.fetch(sql.DELETE_WORKERS, names=list(names))


async def prune_silent(database: Database) -> list[str]:
    """Prunes workers without a heartbeat for a day and without a lease; returns their names.

    Hosts that never come back leave such rows: `prune` needs a peer on the same host.
    """
    rows = await database.fetch(sql.PRUNE_SILENT, silent=SILENT_AFTER_S)
    return [name for (name,) in rows]


async def forget_the_future(database: Database, *, lease_s: float) -> None:
    """Ends leases and heartbeats in time that the database's clock gave before it was set back."""
    await database.fetch(sql.SHORTEN_LEASES, lease=lease_s)
    await database.fetch(sql.AGE_HEARTBEATS, lease=lease_s)


async def claim(database: Database, owner: Owner, *, lease_s: float) -> list[Slot]:
    """Claims free slots of wanted servers, up to this worker's fair share; returns them."""
    rows = await database.fetch(sql.CLAIM, name=owner.name, lease=lease_s)
    return [Slot(server, number) for server, number in rows]


async def load(database: Database, owner: Owner, *, lease_s: float) -> dict[str, int]:
    """Returns how many slots this worker holds (`held`), of how many (`slots`) among how many `workers`."""
    ((held, slots, workers),) = await database.fetch(sql.LOAD, name=owner.name, lease=lease_s)
    return {"held": held, "slots": slots, "workers": workers}


async def owned(database: Database, owner: Owner) -> list[Owned]:
    rows = await database.fetch(sql.OWNED, name=owner.name)
    return [Owned(Slot(server, number), *rest) for server, number, *rest in rows]


async def publish(database: Database, owner: Owner, slot: Slot, fence: int, observation: Observation) -> None:
    """Writes an observation, and the status of its server that follows from it."""
    values = {
        "phase": observation.phase,
        "generation": observation.generation,
        "protocol_version": observation.protocol_version,
        "pid": observation.pid,
        "restarts": observation.restarts,
        "started_age": _age(observation.started),
        "checked_age": _age(observation.checked),
        "healthy_age": _age(observation.healthy),
        "last_exit": _jsonb(observation.last_exit),
        "error": _jsonb(observation.error),
        "stderr_tail": observation.stderr_tail,
    }
    await _write(database, sql.PUBLISH, _key(owner, slot, fence) | values)


async def confirm(
    database: Database, owner: Owner, confirmed: Mapping[Slot, tuple[int, Observation]]
) -> list[Slot]:
    """Writes the times of observations that are otherwise published: by slot, its fence and the observation.

    Returns the slots that were written. Rows that somebody else has locked are skipped.
    """
    fences = [fence for fence, _ in confirmed.values()]
    observations = [observation for _, observation in confirmed.values()]
    columns = {
        "servers": [slot.server_id for slot in confirmed],
        "slots": [slot.number for slot in confirmed],
        "fences": fences,
        "checked_ages": [_age(each.checked) for each in observations],
        "healthy_ages": [_age(each.healthy) for each in observations],
    }
    rows = await database.fetch(sql.CONFIRM, name=owner.name, **columns)
    return [Slot(server, number) for server, number in rows]


async def release(database: Database, owner: Owner, slot: Slot, fence: int) -> None:
    """Gives a slot up before its lease ends: another worker may claim it at once."""
    await _write(database, sql.RELEASE, _key(owner, slot, fence))


async def _write(database: Database, statement: str, values: dict[str, Any]) -> None:
    """Changes an instance and with it its server's status: readers see both or neither."""
    server = {"server_id": values["server_id"]}
    # The status is derived after the change, under the server's lock: of two owners that write at the same
    # time the later one counts the phases of both.
    async with database.transaction() as connection:
        await _fetch(connection, sql.LOCK, server)
        await _fetch(connection, statement, values)
        for wanted, replicas, found, error in await _fetch(connection, sql.PHASES, server):
            phases = [Phase(phase) for phase in found]
            status = derive_status(wanted=wanted, replicas=replicas, phases=phases)
            derived = {"status": status, "error": _jsonb(error)}
            await _fetch(connection, sql.SET_STATUS, server | derived)


async def _fetch(connection: Connection, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    # As bytes: psycopg types a query as a literal string, which a parameter is not.
    cursor = await connection.execute(statement.encode(), values)
    return await cursor.fetchall() if cursor.description else []


def _key(owner: Owner, slot: Slot, fence: int) -> dict[str, Any]:
    return {"name": owner.name, "server_id": slot.server_id, "slot": slot.number, "fence": fence}


def _as_values(owner: Owner) -> dict[str, Any]:
    return {
        "name": owner.name,
        "node": owner.node,
        "host_id": owner.host_id,
        "socket": owner.socket,
        "address": owner.address,
    }


def _age(moment: float | None) -> float | None:
    """Returns the seconds since a moment, which SQL subtracts from the database's clock."""
    return None if moment is None else clock() - moment


def _jsonb(value: dict[str, Any] | None) -> Jsonb | None:
    """Returns JSON without NUL characters, which PostgreSQL does not store."""
    return (
        None if value is None else Jsonb(value, dumps=lambda found: json.dumps(found).replace("\\u0000", ""))
    )
