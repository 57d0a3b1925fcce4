"""Requests and tokens a minute, counted in Redis for all processes, in one round trip.

Requests: a sliding window. It allows no double burst at a window's edge and needs two counters a key: the
present window's, and the one before it, which weighs less the longer ago it ended.
Tokens: a fixed window. They are known only after a run, which may overdraw it; the next request is refused
then. Both use the clock of Redis.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from apikeys.principal import Limits
from core.redis import Store

PREFIX = "mcp-connector"
_WINDOW_MS = 60_000

# A script, because Redis executes it without interruption: between a count and an addition of two commands,
# another process could take the last free place. It counts a request, unless that is one too many.
#
# KEYS: the requests of the window before and of the present one, the tokens. ARGV: the length of a window in
# ms; the limit of requests, or none. Returns whether the request fits, and of each counter its number and the
# ms until it expires. The present window's expires a window after its end, for it is the one before then.
_COUNT = """
local window, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local function counter(key)
    return tonumber(redis.call('GET', key)) or 0, math.max(0, redis.call('PTTL', key))
end
local before, before_ends, now, now_ends, fits = 0, 0, 0, 0, 1
if limit then
    now, now_ends = counter(KEYS[2])
    if now_ends > 0 and now_ends < window then
        redis.call('RENAME', KEYS[2], KEYS[1])
        now, now_ends = 0, now_ends + window
        redis.call('SET', KEYS[2], now, 'PX', now_ends)
    end
    before, before_ends = counter(KEYS[1])
    if math.floor(before * before_ends / window) + now >= limit then
        fits = 0
    elseif now_ends > 0 then
        now = redis.call('INCR', KEYS[2])
    else
        now, now_ends = 1, 2 * window
        redis.call('SET', KEYS[2], now, 'PX', now_ends)
    end
end
return {fits, before, before_ends, now, now_ends, counter(KEYS[3])}
"""


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
        self._redis = store.redis
        self._count_script = store.redis.register_script(_COUNT)

    async def count(self, caller: str, limits: Limits) -> list[Rate]:
        """Counts a request, unless it is one too many. Returns the states of those limits that there are.

        `caller`: see `Principal.limited_as`.
        """
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        present = _key("requests", caller, requests)
        fits, before, before_ends, now, now_ends, spent, spent_ends = await self._count_script(
            keys=[f"{present}/-1", present, _key("tokens", caller, tokens)],
            args=[_WINDOW_MS, "" if requests is None else requests],
        )
        rates = []
        if requests is not None:
            weighted = before * before_ends // _WINDOW_MS + now
            reset_ms = _sliding_reset_ms(before, before_ends, now, now_ends)
            rates.append(_rate("requests", requests, weighted, reset_ms, is_exceeded=not fits))
        if tokens is not None:
            rates.append(_rate("tokens", tokens, spent, spent_ends, is_exceeded=spent >= tokens))
        return rates

    async def spend(self, caller: str, limit: int, tokens: int) -> None:
        """Counts tokens, beyond the limit too."""
        key = _key("tokens", caller, limit)
        async with self._redis.pipeline() as pipeline:  # a transaction: no counter is left without its end
            pipeline.set(key, 0, px=_WINDOW_MS, nx=True)
            pipeline.incrby(key, tokens)
            await pipeline.execute()


def _key(unit: Literal["requests", "tokens"], caller: str, limit: int | None) -> str:
    """Returns the key of a counter: a new limit has a new one."""
    return f"{PREFIX}:{unit}/{caller}/{limit}"


def _sliding_reset_ms(before: int, before_ends: int, now: int, now_ends: int) -> float:
    """Returns when a request more fits: when the window before weighs one less, or the present one ends."""
    resets = []
    if before:
        resets.append(before_ends % (_WINDOW_MS / before))
    if now:
        resets.append(now_ends - _WINDOW_MS)
    return min(resets, default=0.0)


def _rate(
    unit: Literal["requests", "tokens"], limit: int, used: int, reset_ms: float, *, is_exceeded: bool
) -> Rate:
    return Rate(unit, limit, max(0, limit - used), reset_ms / 1000, is_exceeded)
