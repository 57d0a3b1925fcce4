"""Requests and tokens a minute, counted in Redis for all processes, in one round trip.

Requests: a sliding window. It allows no double burst at a window's edge and needs two counters a key: the
present window's, and the one before it, which weighs less the longer ago it ended.
Tokens: a fixed window. They are known only after a run, which may overdraw it; the next request is refused
then. Both use the clock of Redis.

A key whose requests at once are limited, too, gets a lease (see `concurrency`) in the same round trip as its
count, and releases it with its tokens.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from apikeys.limits.concurrency import ACQUIRE, PREFIX, Lease
from apikeys.principal import Limits
from core.redis import Store

_WINDOW_MS = 60_000

# A script, because Redis executes it without interruption: between a count and an addition of two commands,
# another process could take the last free place. It counts a request, unless that is one too many.
#
# KEYS: the requests of the window before and of the present one, the tokens; the leases, if one is wanted.
# ARGV: the length of a window in ms; the limits of requests and of tokens, or none; what `acquire` takes.
# Returns whether the request fits, of each counter its number and the ms until it expires, and whether the
# lease is acquired: never for a refused request. The present window's counter expires a window after its end,
# for it is the one before then. A counter that expires too late is from before the clock was set back: it
# would count for as long as that was, and is forgotten.
_COUNT = (
    ACQUIRE
    + """
local window, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local function counter(key, longest)
    local ends = redis.call('PTTL', key)
    if ends > longest then
        redis.call('DEL', key)
        ends = 0
    end
    return tonumber(redis.call('GET', key)) or 0, math.max(0, ends)
end
local before, before_ends, now, now_ends, fits = 0, 0, 0, 0, 1
if limit then
    now, now_ends = counter(KEYS[2], 2 * window)
    if now_ends > 0 and now_ends < window then
        redis.call('RENAME', KEYS[2], KEYS[1])
        now, now_ends = 0, now_ends + window
        redis.call('SET', KEYS[2], now, 'PX', now_ends)
    end
    before, before_ends = counter(KEYS[1], window)
    if math.floor(before * before_ends / window) + now >= limit then
        fits = 0
    elseif now_ends > 0 then
        now = redis.call('INCR', KEYS[2])
    else
        now, now_ends = 1, 2 * window
        redis.call('SET', KEYS[2], now, 'PX', now_ends)
    end
end
local spent, spent_ends = counter(KEYS[3], window)
local leased = 0
if KEYS[4] and fits == 1 and (ARGV[3] == '' or spent < tonumber(ARGV[3])) then
    leased = acquire(KEYS[4], ARGV[4], ARGV[5], ARGV[6])
end
return {fits, before, before_ends, now, now_ends, spent, spent_ends, leased}
"""
)
# KEYS: the tokens; the leases, if one is to be released. ARGV: the length of a window in ms, the number, the
# lease. A script is a transaction: no counter is left without its end.
_SPEND = """
redis.call('SET', KEYS[1], 0, 'PX', ARGV[1], 'NX')
redis.call('INCRBY', KEYS[1], ARGV[2])
if KEYS[2] then redis.call('ZREM', KEYS[2], ARGV[3]) end
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


@dataclass(frozen=True, slots=True)
class WantedLease:
    """A lease to be acquired if fewer than `limit` requests run."""

    lease: Lease
    limit: int
    lease_s: float


class Rates:
    """Counts by the minute. Methods raise errors of Redis: call them within `store.within_deadline()`."""

    def __init__(self, store: Store) -> None:
        self._count_script = store.redis.register_script(_COUNT)
        self._spend_script = store.redis.register_script(_SPEND)

    async def count(
        self, caller: str, limits: Limits, wanted: WantedLease | None = None
    ) -> tuple[list[Rate], bool]:
        """Counts a request, unless it is one too many.

        Returns the states of those limits that there are, and whether the lease that was wanted is acquired.
        `caller`: see `Principal.limited_as`.
        """
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        present = _key("requests", caller, requests)
        keys = [f"{present}/-1", present, _key("tokens", caller, tokens)]
        arguments: list[str | float] = [
            _WINDOW_MS,
            *("" if limit is None else limit for limit in (requests, tokens)),
        ]
        if wanted is not None:
            keys.append(wanted.lease.key)
            arguments += [wanted.limit, wanted.lease_s, wanted.lease.id]
        counted = await self._count_script(keys=keys, args=arguments)
        fits, before, before_ends, now, now_ends, spent, spent_ends, is_acquired = counted
        rates = []
        if requests is not None:
            weighted = before * before_ends // _WINDOW_MS + now
            reset_ms = _sliding_reset_ms(before, before_ends, now, now_ends)
            rates.append(_rate("requests", requests, weighted, reset_ms, is_exceeded=not fits))
        if tokens is not None:
            rates.append(_rate("tokens", tokens, spent, spent_ends, is_exceeded=spent >= tokens))
        return rates, bool(is_acquired)

    async def spend(self, caller: str, limit: int, tokens: int, lease: Lease | None = None) -> None:
        """Counts tokens, beyond the limit too, and releases the lease of their run."""
        keys, arguments = [_key("tokens", caller, limit)], [str(_WINDOW_MS), str(tokens)]
        if lease is not None:
            keys.append(lease.key)
            arguments.append(lease.id)
        await self._spend_script(keys=keys, args=arguments)


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
