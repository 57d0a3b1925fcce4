"""Requests and tokens a minute, counted in Redis for all processes by the library `limits`.

Requests: a sliding window. It allows no double burst at a window's edge and needs two counters a key.
Tokens: a fixed window. They are known only after a run, which may overdraw it; the next request is refused
then. Both use the clock of Redis.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.util import WindowStats

from core.redis import Store

PREFIX = "mcp-connector"


@dataclass(frozen=True, slots=True)
class Rate:
    """The state of a limit a minute. `is_exceeded`: the present request is one too many."""

    unit: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_s: float
    is_exceeded: bool

    @property
    def headers(self) -> Mapping[str, str]:
        return {
            f"x-ratelimit-limit-{self.unit}": str(self.limit),
            f"x-ratelimit-remaining-{self.unit}": str(self.remaining),
            f"x-ratelimit-reset-{self.unit}": f"{self.reset_s:.3f}".rstrip("0").rstrip(".") + "s",
        }

    @property
    def retry_after_s(self) -> int:
        return max(1, math.ceil(self.reset_s))


class Rates:
    """Counts by the minute. Methods raise errors of Redis: call them within `store.within_deadline()`."""

    def __init__(self, store: Store) -> None:
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=PREFIX,
            connection_pool=store.pool,  # type: ignore[arg-type] # documented so, and typed for strings only
        )
        self._requests = SlidingWindowCounterRateLimiter(storage)
        self._tokens = FixedWindowRateLimiter(storage)

    async def request(self, caller: str, limit: int) -> Rate:
        """Counts a request, unless it is one too many. `caller`: see `Principal.limited_as`."""
        item, key = RateLimitItemPerMinute(limit, namespace="requests"), caller
        is_counted = await self._requests.hit(item, key)
        stats = await self._requests.get_window_stats(item, key)
        return _rate("requests", limit, stats, is_exceeded=not is_counted)

    async def tokens(self, caller: str, limit: int) -> Rate:
        """Returns the state of the token limit, and counts nothing."""
        stats = await self._tokens.get_window_stats(_tokens(limit), caller)
        return _rate("tokens", limit, stats, is_exceeded=stats.remaining <= 0)

    async def spend(self, caller: str, limit: int, tokens: int) -> None:
        """Counts tokens, beyond the limit too."""
        await self._tokens.hit(_tokens(limit), caller, cost=tokens)


def _tokens(limit: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(limit, namespace="tokens")


def _rate(unit: Literal["requests", "tokens"], limit: int, stats: WindowStats, *, is_exceeded: bool) -> Rate:
    reset_s = max(0.0, stats.reset_time - time.time())
    return Rate(unit, limit, max(0, int(stats.remaining)), reset_s, is_exceeded)
