"""Who owns which slot: the raw SQL behind it. The database's clock is the only one that decides.

A claim raises the fence. Renewing, publishing and releasing touch a row only while it is the owner's; no row
touched means that somebody else was first, which is not an error.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
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
Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """A supervisor, as others find it."""

    name: str
    node: str
    host_id: str
    socket: str
    address: str


class Owned(NamedTuple):
    """A slot that the database says is ours. `wanted`: it should run, as `generation` says."""

    slot: Slot
    fence: int
    wanted: bool
    generation: int
    protocol_version: str

    @property
    def is_of_older_era(self) -> bool:
        """Known from its last owner: protocol versions are dates."""
        return "" < self.protocol_version < MODERN_SINCE


class Database:
    """One connection, opened when needed and again after a failure. Raises DATABASE_ERRORS if it is away."""

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
                async with asyncio.timeout(QUERY_DEADLINE_S):
                    if self._connection is None:
                        self._connection = await connect()
                    yield self._connection
            except BaseException:
                await self._drop()  # its state is unknown, be it by a failure or by a cancellation
                raise

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def register(database: Database, owner: Owner) -> None:
    """Be, or go on being, a worker that is alive and takes servers."""
    await database.fetch(sql.REGISTER, **_as_values(owner))


async def begin_drain(database: Database, owner: Owner) -> None:
    await database.fetch(sql.BEGIN_DRAIN, name=owner.name)


async def leave(database: Database, owner: Owner) -> None:
    """Release what is left, and be no worker any more."""
    await bury(database, [owner.name])


async def renew(database: Database, owner: Owner, *, lease_s: float) -> dict[Slot, int]:
    """Every slot that is still ours, with its fence."""
    rows = await database.fetch(sql.RENEW, name=owner.name, lease=lease_s)
    return {Slot(server, number): fence for server, number, fence in rows}


async def neighbours(database: Database, owner: Owner) -> list[str]:
    """Other owners that this host has, or had."""
    rows = await database.fetch(sql.NEIGHBOURS, name=owner.name, host_id=owner.host_id)
    return [name for (name,) in rows]


async def long_gone(database: Database) -> list[str]:
    return [name for (name,) in await database.fetch(sql.LONG_GONE)]


async def bury(database: Database, names: Sequence[str]) -> None:
    """Free the slots of owners that are known to be gone."""
    await database.fetch(sql.FREE, names=list(names))
    await database.fetch(sql.FORGET, names=list(names))


async def claim(database: Database, owner: Owner, *, lease_s: float) -> list[Slot]:
    """Take free slots of wanted servers, up to this worker's fair share."""
    rows = await database.fetch(sql.CLAIM, name=owner.name, lease=lease_s)
    return [Slot(server, number) for server, number in rows]


async def load(database: Database, owner: Owner, *, lease_s: float) -> dict[str, int]:
    """How many slots this worker holds (`held`), of how many (`slots`) among how many `workers`."""
    ((held, slots, workers),) = await database.fetch(sql.LOAD, name=owner.name, lease=lease_s)
    return {"held": held, "slots": slots, "workers": workers}


async def owned(database: Database, owner: Owner) -> list[Owned]:
    rows = await database.fetch(sql.OWNED, name=owner.name)
    return [Owned(Slot(server, number), *rest) for server, number, *rest in rows]


async def publish(database: Database, owner: Owner, slot: Slot, fence: int, seen: Observation) -> None:
    values = {
        "phase": seen.phase,
        "generation": seen.generation,
        "protocol_version": seen.protocol_version,
        "pid": seen.pid,
        "restarts": seen.restarts,
        "started_age": _age(seen.started),
        "checked_age": _age(seen.checked),
        "healthy_age": _age(seen.healthy),
        "last_exit": _jsonb(seen.last_exit),
        "error": _jsonb(seen.error),
        "stderr_tail": seen.stderr_tail,
    }
    await _write(database, sql.PUBLISH, _key(owner, slot, fence) | values)


async def confirm(
    database: Database, owner: Owner, confirmed: Mapping[Slot, tuple[int, Observation]]
) -> list[Slot]:
    """Publish when each was seen (its fence, what was seen) where nothing else is new.

    Not what somebody else is writing to: only the slots that are returned.
    """
    fences = [fence for fence, _ in confirmed.values()]
    seen = [observation for _, observation in confirmed.values()]
    columns = {
        "servers": [slot.server_id for slot in confirmed],
        "slots": [slot.number for slot in confirmed],
        "fences": fences,
        "checked_ages": [_age(each.checked) for each in seen],
        "healthy_ages": [_age(each.healthy) for each in seen],
    }
    rows = await database.fetch(sql.CONFIRM, name=owner.name, **columns)
    return [Slot(server, number) for server, number in rows]


async def release(database: Database, owner: Owner, slot: Slot, fence: int) -> None:
    await _write(database, sql.RELEASE, _key(owner, slot, fence))


async def _write(database: Database, statement: str, values: dict[str, Any]) -> None:
    """Change an instance, and with it its server's status: both are seen at once."""
    server = {"server_id": values["server_id"]}
    async with database.transaction() as connection:
        await _fetch(connection, sql.LOCK, server)
        await _fetch(connection, statement, values)
        for wanted, replicas, found, error in await _fetch(connection, sql.SEEN, server):
            phases = [Phase(phase) for phase in found]
            status = derive_status(wanted=wanted, replicas=replicas, phases=phases)
            seen = {"status": status, "error": _jsonb(error)}
            await _fetch(connection, sql.SET_STATUS, server | seen)


async def _fetch(connection: Connection, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
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
    """Seconds since, to be taken from the database's clock."""
    return None if moment is None else clock() - moment


def _jsonb(value: dict[str, Any] | None) -> Jsonb | None:
    """PostgreSQL keeps no NUL in JSON."""
    return (
        None if value is None else Jsonb(value, dumps=lambda found: json.dumps(found).replace("\\u0000", ""))
    )
