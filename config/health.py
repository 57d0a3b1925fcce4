"""The probes: `/health` says that this process answers, `/ready` that its services do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from psycopg import OperationalError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config import draining
from connector.status.workers import workers_alive
from core import database
from core.recent import Recent

log = logging.getLogger(__name__)

TIMEOUT_S = 2  # for each check
CACHED_S = 1  # callers without a key must not be able to keep the database busy
UNANSWERED = (OperationalError, DatabaseError, RedisError, OSError, TimeoutError)


@require_safe
async def health(request: HttpRequest) -> JsonResponse:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return JsonResponse({"status": "healthy", "timestamp": now})


@require_safe
async def ready(request: HttpRequest) -> JsonResponse:
    """503 only without the database, or before the end: chats go on without Redis, and without workers except
    for the tools.
    """
    if draining.has_begun:
        return JsonResponse({"status": "stopping"}, status=503)
    checks = await _readiness.get()
    status = "ok" if all(checks.values()) else "degraded" if checks["database"] else "unavailable"
    named = {name: "ok" if passed else "down" for name, passed in checks.items()}
    return JsonResponse({"status": status, **named}, status=200 if checks["database"] else 503)


async def _check_all() -> dict[str, bool]:
    database, redis = await asyncio.gather(_passes("database", _database), _passes("redis", _redis))
    # Workers write their heartbeats into the database.
    return {"database": database, "redis": redis, "workers": database and await _passes("workers", _workers)}


async def _passes(name: str, check: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check()
    except UNANSWERED as error:
        log.warning("%s is not ready: %s", name, type(error).__name__)
        return False


async def _database() -> bool:
    async with await database.connect() as connection:
        await connection.execute("SELECT 1")
    return True


async def _redis() -> bool:
    async with Redis.from_url(settings.REDIS_URL) as client:
        return bool(await client.ping())


async def _workers() -> bool:
    return bool(await workers_alive())


_readiness = Recent(_check_all, CACHED_S)
