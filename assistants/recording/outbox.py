"""An outbox in Redis for ended runs that are no rows yet: a web process that is killed loses none of them.

A run is put here before its caller receives its end, and removed when it is a row, a fraction of a second
later. Where its process dies in between, a worker makes a row of it. Without Redis runs are recorded, too,
but for that case (docs/decisions/0009-ended-runs-wait-in-redis.md).
"""

import logging
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from django.conf import settings
from redis import Redis

from assistants.recording import rows, serialization
from assistants.recording.records import RunRecord
from core.redis import SharedStore, StoreDown
from tools.secrets.encryption import UndecryptableSecret, decrypt, encrypt

log = logging.getLogger(__name__)

KEY = "mcp-connector:ended-runs"
LOST_AFTER_S = 15.0
_TIMEOUT_S = 5.0

_store = SharedStore()
lifespan = _store.lifespan


async def put(record: RunRecord) -> None:
    """Delays the caller by 100 ms at most. A failure is logged by the store, and nothing else comes of it."""
    encrypted = encrypt({"at": time.time(), "record": serialization.dump(record)})
    with suppress(StoreDown):
        async with _store.within_deadline() as redis:
            await redis.hset(KEY, record.origin.run_id, encrypted)


async def remove(run_ids: Collection[str]) -> None:
    """Removes runs that are rows now."""
    if run_ids:
        with suppress(StoreDown):
            async with _store.within_deadline() as redis:
                await redis.hdel(KEY, *run_ids)


def recover(*, older_than_s: float = LOST_AFTER_S) -> int:
    """Makes rows of the runs of killed processes, and returns their number. Raises redis.RedisError."""
    with Redis.from_url(
        settings.REDIS_URL, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
    ) as redis:
        entries: dict[bytes, bytes] = redis.hgetall(KEY)
        read = {run_id: _lost_record(encrypted, older_than_s) for run_id, encrypted in entries.items()}
        lost = {run_id: record for run_id, record in read.items() if record is not None}
        if lost:
            rows.write(map(serialization.load, lost.values()))
            redis.hdel(KEY, *lost)
        return len(lost)


def _lost_record(encrypted: bytes, older_than_s: float) -> dict[str, Any] | None:
    try:
        entry: dict[str, Any] = decrypt(encrypted.decode())
    except UndecryptableSecret:
        log.error("A run that a killed process left cannot be read: its encryption key is gone.")
        return None
    record: dict[str, Any] = entry["record"]
    return record if entry["at"] <= time.time() - older_than_s else None
