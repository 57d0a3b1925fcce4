"""Redis, or Valkey: whether it answers, takes writes, and never drops what waits in it."""

from collections.abc import Iterator
from typing import Any

from redis import Redis, RedisError

from config.doctor.finding import Finding, failed, first_line, ok, warning
from core.redis import blocking
from core.refused_writes import Refusal, refusal

_KEY = "mcp-connector:doctor"


def check() -> Iterator[Finding]:
    try:
        with blocking() as redis:
            yield from _check(redis)
    except (RedisError, ValueError) as error:
        yield failed("Redis", first_line(error), "Check REDIS_URL, and whether Redis runs there.")


def _check(redis: Redis) -> Iterator[Finding]:
    info: dict[str, Any] = redis.info()
    yield ok("Redis", f"{info.get('server_name', 'redis')} {info['redis_version']} answers")
    try:
        redis.set(_KEY, 1, ex=1)
    except RedisError as error:
        refused = refusal(error) or Refusal(first_line(error), "Look into its log.")
        yield failed("Redis", f"it takes no writes: {refused.said}.", refused.remedy)
        return
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory"):
        yield warning(
            "Redis",
            f"when its memory is full it drops keys ({policy}): waiting tasks and counters among them.",
            "CONFIG SET maxmemory-policy noeviction, and in its configuration.",
        )
    if (limit := info.get("maxmemory")) and info["used_memory"] > 0.9 * limit:
        yield warning(
            "Redis", "over 90 % of its maxmemory are used.", "Raise maxmemory, or find what fills it."
        )
