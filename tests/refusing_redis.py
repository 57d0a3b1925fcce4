"""The tests' Redis, made to refuse writes in the ways in which that happens, and as it was afterwards."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings
from redis import Redis

from tests.stack import wait_for

REASONS = {
    "full": "its memory is full",
    "read-only": "it is a replica",
    "failing snapshots": "its last snapshot failed",
}
"""What the product says, by the way."""


@contextmanager
def refusing(why: str) -> Iterator[None]:
    with Redis.from_url(settings.REDIS_URL, decode_responses=True) as redis, ExitStack() as mended:
        if why == "full":
            mended.callback(redis.config_set, "maxmemory", redis.config_get("maxmemory")["maxmemory"])
            redis.config_set("maxmemory", "1")  # with noeviction, its default
        elif why == "read-only":
            mended.callback(redis.replicaof, "NO", "ONE")
            redis.replicaof("127.0.0.1", 9)
        else:
            mended.enter_context(failing_snapshots(redis))
        yield


@contextmanager
def failing_snapshots(redis: Redis) -> Iterator[None]:
    """A folder in the place of the file makes a snapshot fail: Redis refuses writes until one succeeds."""
    stored = redis.config_get("save")["save"]
    file = Path(redis.config_get("dir")["dir"], redis.config_get("dbfilename")["dbfilename"])
    (file / "occupied").mkdir(parents=True)
    try:
        redis.config_set("save", "3600 1")
        redis.bgsave()
        wait_for(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", within_s=10)
        yield
    finally:
        shutil.rmtree(file)
        redis.bgsave()
        wait_for(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "ok", within_s=10)
        redis.config_set("save", stored)
        file.unlink(missing_ok=True)
