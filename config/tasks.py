"""The Celery task by which it is seen that periodic tasks run: it notes its time in Redis."""

import time

from celery import shared_task

from core.redis import blocking

_KEY = "mcp-connector:beat"
KEPT_S = 7 * 24 * 3600


@shared_task
def note_beat() -> None:
    """Notes that beat sends tasks, and that a worker runs them."""
    with blocking() as redis:
        redis.set(_KEY, time.time(), ex=KEPT_S)


def last_beat_s() -> float | None:
    """Returns when the last task ran, as a Unix time; None where Redis has no note. Raises RedisError."""
    with blocking() as redis:
        noted: bytes | None = redis.get(_KEY)
    return None if noted is None else float(noted)
