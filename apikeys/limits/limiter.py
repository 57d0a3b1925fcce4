"""The limiter of requests: it checks the limits of an API key before a request, and counts what it used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from django.conf import settings

from apikeys.errors import LimitReached, LimitsUnavailable
from apikeys.limits import budget
from apikeys.limits.concurrency import LEASE_S, Lease, Leases
from apikeys.limits.rates import Rate, Rates
from apikeys.principal import Principal
from core.background import supervised
from core.redis import Store, StoreDown

_MOST_TOKENS = 2**31 - 1
"""The most that one run counts for: an LLM service may report any number, and counters have 64 bits."""


class Limiter:
    """Enforces the limits of API keys. For a key without limits it asks neither Redis nor the database."""

    def __init__(self, url: str, *, lease_s: float = LEASE_S) -> None:
        self._store = Store(url)
        self._rates = Rates(self._store)
        self._leases = Leases(self._store, lease_s=lease_s)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Renews leases for as long as the context lasts."""
        try:
            async with supervised("The renewal of running requests' leases", self._leases.renew_for_ever):
                yield
        finally:
            await self._store.close()

    async def admit(self, principal: Principal) -> dict[str, str]:
        """Counts a request. Returns headers with the state of the limits; a refusal has them too.

        Raises LimitReached and LimitsUnavailable.
        """
        await _require_budget(principal)
        rates = await self._counted(principal)
        headers = {name: value for rate in rates for name, value in rate.headers.items()}
        for rate in rates:
            if rate.is_exceeded:
                raise _rate_limit_exceeded(rate, headers)
        return headers

    async def _counted(self, principal: Principal) -> list[Rate]:
        limits = principal.limits
        if limits.requests_per_minute is None and limits.tokens_per_minute is None:
            return []
        try:
            async with self._store.within_deadline():
                return await self._rates.count(principal.limited_as, limits)
        except StoreDown:
            _require_open()
            return []

    @asynccontextmanager
    async def permit(self, principal: Principal) -> AsyncIterator[None]:
        """Runs the block as a concurrent request of the key. Raises LimitReached and LimitsUnavailable."""
        lease = await self._acquire(principal)
        try:
            yield
        finally:
            if lease is not None:
                await self._leases.release(lease)

    async def _acquire(self, principal: Principal) -> Lease | None:
        limit = principal.limits.concurrent_requests
        if limit is None:
            return None
        try:
            lease = await self._leases.acquire(principal.limited_as, limit)
        except StoreDown:
            _require_open()
            return None
        if lease is None:
            raise _too_many_at_once(limit)
        return lease

    async def charge(self, principal: Principal, tokens: int) -> None:
        """Counts the tokens of a run, from now on. It never fails."""
        tokens = min(tokens, _MOST_TOKENS)
        if tokens <= 0:
            return
        if principal.user_id is None:
            budget.spend(principal.id, tokens)
        if (limit := principal.limits.tokens_per_minute) is not None:
            with suppress(StoreDown):  # the month above is in PostgreSQL and loses nothing
                async with self._store.within_deadline():
                    await self._rates.spend(principal.limited_as, limit, tokens)


async def _require_budget(principal: Principal) -> None:
    limit = principal.limits.tokens_per_month
    if limit is not None and await budget.spent_this_month(principal.id) >= limit:
        message = f"This API key has spent its {limit:,} tokens of this month."
        raise LimitReached(message, "insufficient_quota", {"x-should-retry": "false"})


def _require_open() -> None:
    """Raises LimitsUnavailable if requests must not pass uncounted while Redis is away."""
    if not settings.RATE_LIMIT_FAILS_OPEN:
        raise LimitsUnavailable


def _rate_limit_exceeded(rate: Rate, headers: dict[str, str]) -> LimitReached:
    message = (
        f"This API key may use {rate.limit:,} {rate.unit} a minute, and has: "
        f"try again in {rate.retry_after_s} s."
    )
    return LimitReached(message, "rate_limit_exceeded", {**headers, "retry-after": str(rate.retry_after_s)})


def _too_many_at_once(limit: int) -> LimitReached:
    message = f"This API key may run {limit:,} requests at once, and does: try again when one has ended."
    return LimitReached(message, "rate_limit_exceeded", {"retry-after": "1"})
