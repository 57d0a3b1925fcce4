"""Limits how many requests of a key run at once, over all processes.

Each running request holds a lease in Redis that its process renews: the leases of a process that died expire.
A process knows its leases too, and renewing restores them in a Redis that was emptied.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from core.ids import unique
from core.redis import Store, StoreDown

PREFIX = "mcp-connector"
LEASE_S = 15.0
_RENEWALS_A_LEASE = 3

# Scripts, because Redis executes each without interruption: between a count and an addition of two commands,
# another process could take the last free place. By the clock of Redis, since hosts have different ones.
#
# `key`: a sorted set of the leases of an API key, with their ends as scores. Ends far ahead are from before
# the clock was set back: the lease of a request that still runs is there again with its next renewal.
ACQUIRE = """
local function acquire(key, limit, seconds, lease)
    local time = redis.call('TIME')
    local now = time[1] + time[2] / 1000000
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    redis.call('ZREMRANGEBYSCORE', key, now + 2 * seconds, '+inf')
    if redis.call('ZCARD', key) >= tonumber(limit) then return 0 end
    redis.call('ZADD', key, now + seconds, lease)
    redis.call('PEXPIRE', key, math.ceil(seconds * 1000))
    return 1
end
"""
"""A function of Lua, for scripts. Returns 1 if the lease is acquired, else 0."""
_ACQUIRE_ALONE = ACQUIRE + "return acquire(KEYS[1], ARGV[1], ARGV[2], ARGV[3])"
# ARGV: seconds, leases. ZADD adds those that are missing.
_RENEW = """
local time = redis.call('TIME')
local ends = time[1] + time[2] / 1000000 + ARGV[1]
for index = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[index]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[1] * 1000))
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one running request. `caller`: see `Principal.limited_as`."""

    caller: str
    id: str = field(default_factory=unique)

    @property
    def key(self) -> str:
        return f"{PREFIX}:running:{self.caller}"


class Leases:
    """The leases that this process holds."""

    def __init__(self, store: Store, *, lease_s: float = LEASE_S) -> None:
        self._store = store
        self.lease_s = lease_s
        self._held: set[Lease] = set()
        self._acquire_script = store.redis.register_script(_ACQUIRE_ALONE)
        self._renew_script = store.redis.register_script(_RENEW)

    async def acquire(self, caller: str, limit: int) -> Lease | None:
        """Returns a lease to be released, or None if `limit` requests run already. Raises StoreDown."""
        lease = Lease(caller)
        async with self._store.within_deadline():
            is_acquired = await self._acquire_script(keys=[lease.key], args=[limit, self.lease_s, lease.id])
        if not is_acquired:
            return None
        self.hold(lease)
        return lease

    async def release(self, lease: Lease) -> None:
        """Releases a lease. It never fails."""
        self.drop(lease)
        with suppress(StoreDown):  # then the lease expires
            async with self._store.within_deadline() as redis:
                await redis.zrem(lease.key, lease.id)

    def hold(self, lease: Lease) -> None:
        """Renews a lease from now on, which a script has acquired."""
        self._held.add(lease)

    def drop(self, lease: Lease) -> None:
        """Renews a lease no more, which a script is about to release."""
        self._held.discard(lease)

    async def renew_for_ever(self) -> None:
        """Renews the leases three times in their lifetime, so that two failures in a row cost none."""
        while True:
            await asyncio.sleep(self.lease_s / _RENEWALS_A_LEASE)
            for caller in {lease.caller for lease in self._held}:
                with suppress(StoreDown):
                    await self._renew_of(caller)

    async def _renew_of(self, caller: str) -> None:
        leases = [lease for lease in self._held if lease.caller == caller]
        if not leases:
            return
        async with self._store.within_deadline() as redis:
            await self._renew_script(
                keys=[leases[0].key], args=[self.lease_s, *(lease.id for lease in leases)]
            )
            # One that was released while the script ran has been added again by it.
            for lease in leases:
                if lease not in self._held:
                    await redis.zrem(lease.key, lease.id)
