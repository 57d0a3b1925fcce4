"""Ended runs that are no rows yet, in Redis: a web process that is killed takes none of them with it.

A run is here before its caller hears of its end, and until it is a row: for a fraction of a second, unless
its process dies. Then a worker makes a row of it. Without Redis runs are recorded all the same, but for that.
"""

import logging
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from django.conf import settings
from redis import Redis

from assistants.recording import rows, serialization
from assistants.recording.records import RunRecord
from core.redis import Store, StoreDown
from tools.secrets.encryption import UndecryptableSecret, decrypt, encrypt

log = logging.getLogger(__name__)

KEY = "mcp-connector:ended-runs"
LOST_AFTER_S = 15.0
_TIMEOUT_S = 5.0

_store: Store | None = None


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Runs are kept, from this event loop, for as long as the context lasts."""
    global _store  # noqa: PLW0603 - one pool of connections a process
    store = _store = Store(settings.REDIS_URL)
    try:
        yield
    finally:
        _store = None
        await store.close()


async def keep(record: RunRecord) -> None:
    """It holds a caller up for at most 100 ms, and fails silently: the store tells the log of it."""
    entry = encrypt({"at": time.time(), "record": serialization.dump(record)})
    if _store is not None:
        with suppress(StoreDown):
            async with _store.within_deadline() as redis:
                await redis.hset(KEY, record.origin.run_id, entry)


async def forget(run_ids: Collection[str]) -> None:
    """They are rows now."""
    if _store is not None and run_ids:
        with suppress(StoreDown):
            async with _store.within_deadline() as redis:
                await redis.hdel(KEY, *run_ids)


def recover(*, older_than_s: float = LOST_AFTER_S) -> int:
    """Make rows of what killed processes left; how many there were. Raises redis.RedisError."""
    with Redis.from_url(
        settings.REDIS_URL, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
    ) as redis:
        entries: dict[bytes, bytes] = redis.hgetall(KEY)
        lost = {run_id: record for run_id, entry in entries.items() if (record := _lost(entry, older_than_s))}
        if lost:
            rows.write(map(serialization.load, lost.values()))
            redis.hdel(KEY, *lost)
        return len(lost)


def _lost(entry: bytes, older_than_s: float) -> dict[str, Any] | None:
    try:
        kept: dict[str, Any] = decrypt(entry.decode())
    except UndecryptableSecret:
        log.error("A run that a killed process left cannot be read: its encryption key is gone.")
        return None
    record: dict[str, Any] = kept["record"]
    return record if kept["at"] <= time.time() - older_than_s else None
