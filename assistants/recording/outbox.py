"""An outbox in Redis for ended runs that are no rows yet: a web process that is killed loses none of them.

A run is put here before its caller receives its end, and removed when it is a row, a fraction of a second
later. Where its process dies in between, a worker makes a row of it. Without Redis runs are recorded, too,
but for that case (docs/decisions/0009-ended-runs-wait-in-redis.md).

Runs that end at the same time share an entry, which is encrypted and sent once, and removed when all of them
are rows (docs/decisions/0032-runs-that-end-together-are-put-together.md).
"""

import logging
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson

from assistants.recording import rows, serialization
from assistants.recording.records import RunRecord
from core import ids
from core.group_commit import GroupCommit
from core.redis import SharedStore, StoreDown, blocking
from tools.secrets.encryption import UndecryptableSecret, decrypt, encrypt_json

log = logging.getLogger(__name__)

KEY = "mcp-connector:ended-runs"
LOST_AFTER_S = 15.0

_store = SharedStore()
_entries: dict[str, str] = {}
"""The entries of runs that are no rows yet, by the ids of the runs."""


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Connects this event loop to Redis."""
    global _puts  # noqa: PLW0603 - one for each loop, whose tasks it holds
    _puts = GroupCommit(_put)
    async with _store.lifespan():
        yield


async def connect() -> None:
    """Connects to Redis, so that no caller has to wait for that. Raises StoreDown."""
    await _store.connect()


async def put(record: RunRecord) -> None:
    """Delays the caller by 200 ms at most. A failure is logged by the store, and nothing else comes of it."""
    await _puts.add(record)


async def _put(records: Sequence[RunRecord]) -> None:
    dumped = {record.origin.run_id: run for record in records if (run := _dumped(record)) is not None}
    if not dumped:
        return
    encrypted = encrypt_json(orjson.dumps({"at": time.time(), "records": list(dumped.values())}))
    entry = ids.unique()
    _entries.update(dict.fromkeys(dumped, entry))
    with suppress(StoreDown):
        async with _store.within_deadline() as redis:
            await redis.hset(KEY, entry, encrypted)


_puts = GroupCommit(_put)


def _dumped(record: RunRecord) -> dict[str, Any] | None:
    """Returns None for a run that JSON cannot hold: those that end with it must not fail with it."""
    try:
        return serialization.dump(record)
    except orjson.JSONEncodeError as error:
        log.error("Run %s cannot wait for its row in Redis: %s", record.origin.run_id, error)
        return None


async def remove(run_ids: Collection[str]) -> None:
    """Notes that these runs are rows now. Entries of which that is true of all runs are removed."""
    left = {_entries.pop(run_id) for run_id in run_ids if run_id in _entries}
    if done := left.difference(_entries.values()):
        with suppress(StoreDown):
            async with _store.within_deadline() as redis:
                await redis.hdel(KEY, *done)


def recover(*, older_than_s: float = LOST_AFTER_S) -> int:
    """Makes rows of the runs of killed processes, and returns their number. Raises redis.RedisError."""
    with blocking() as redis:
        entries: dict[bytes, bytes] = redis.hgetall(KEY)
        read = {name: _lost_records(encrypted, older_than_s) for name, encrypted in entries.items()}
        lost = {name: records for name, records in read.items() if records}
        if lost:
            rows.write([record for records in lost.values() for record in records])
            redis.hdel(KEY, *lost)
        return sum(map(len, lost.values()))


def _lost_records(encrypted: bytes, older_than_s: float) -> list[RunRecord]:
    """Returns the runs of an entry that is so old; of an older release, each had an entry of its own.

    What a later release has left, and only that can read, stays for its workers.
    """
    try:
        entry: dict[str, Any] = decrypt(encrypted.decode())
    except UndecryptableSecret:
        log.error("Runs that a killed process left cannot be read: their encryption key is gone.")
        return []
    try:
        # One from long ahead is from before the clock was set back, and would wait for as long as that was.
        if abs(time.time() - entry["at"]) < older_than_s:
            return []
        records = entry["records"] if "records" in entry else [entry["record"]]
        return [serialization.load(record) for record in records]
    except (LookupError, TypeError, ValueError) as error:
        log.error(
            "Runs that a killed process left cannot be read by this release (%s).", type(error).__name__
        )
        return []
