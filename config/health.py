"""The probes: `/health` says that this process answers, `/ready` that its services do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from psycopg import OperationalError
from redis.exceptions import RedisError, ResponseError

from config import draining
from connector.status.workers import workers_alive
from core import database, redis
from core.recent import Recent
from core.refused_writes import refusal

log = logging.getLogger(__name__)

OK, DOWN, READ_ONLY = "ok", "down", "read-only"
TIMEOUT_S = 2  # for each check
CACHED_S = 1  # callers without a key must not be able to keep the database busy
ADVICE = "manage.py doctor says what is wrong and what to do"
_KEY = "mcp-connector:ready"
_told: dict[str, str] = {}
"""What was logged last of each service that is not ready."""
UNANSWERED = (OperationalError, DatabaseError, RedisError, OSError, TimeoutError)


@require_safe
async def health(request: HttpRequest) -> JsonResponse:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return JsonResponse({"status": "healthy", "timestamp": now})


@require_safe
async def ready(request: HttpRequest) -> JsonResponse:
    """503 only without the database, or before the end: chats go on without Redis, with services that can
    only be read, and without workers except for the tools.
    """
    if draining.has_begun:
        return JsonResponse({"status": "stopping"}, status=503)
    checks = await _readiness.get()
    is_away = checks["database"] == DOWN
    status = "ok" if set(checks.values()) == {OK} else "unavailable" if is_away else "degraded"
    advice = {} if status == "ok" else {"advice": ADVICE}
    return JsonResponse({"status": status, **checks, **advice}, status=503 if is_away else 200)


async def _check_all() -> dict[str, str]:
    database, redis = await asyncio.gather(_state("database", _database), _state("redis", _redis))
    # Workers write their heartbeats into the database.
    workers = DOWN if database == DOWN else await _state("workers", _workers)
    return {"database": database, "redis": redis, "workers": workers}


async def _state(name: str, check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            found = await check()
    except UNANSWERED as error:
        _tell(name, f"is not ready: {type(error).__name__}")
        return DOWN
    if found == OK and _told.pop(name, ""):
        log.warning("%s is ready again", name)
    return found


def _tell(name: str, said: str) -> None:
    """Logs it once, however often the probe asks."""
    if _told.get(name) != said:
        log.warning("%s %s", name, said)
    _told[name] = said


async def _database() -> str:
    async with await database.connect() as connection:
        cursor = await connection.execute("SELECT current_setting('transaction_read_only')::boolean")
        ((is_read_only,),) = await cursor.fetchall()
    return READ_ONLY if is_read_only else OK


async def _redis() -> str:
    """Writes, because one that answers may refuse to: without, beat and workers can do nothing."""
    async with redis.unbounded() as client:
        try:
            await client.set(_KEY, 1, ex=1)
        except ResponseError as error:
            _tell("redis", str(refusal(error) or f"takes no writes: {type(error).__name__}"))
            return READ_ONLY
    return OK


async def _workers() -> str:
    return OK if await workers_alive() else DOWN


_readiness = Recent(_check_all, CACHED_S)
