"""The limiter of requests: it checks the limits of an API key before a request, and counts what it used."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings

from apikeys.errors import LimitReached, LimitsUnavailable
from apikeys.limits import budget
from apikeys.limits.concurrency import LEASE_S, Lease, Leases
from apikeys.limits.rates import Rate, Rates, WantedLease
from apikeys.principal import Principal
from core.background import supervised
from core.redis import Store, StoreDown

_MOST_TOKENS = 2**31 - 1
"""The most that one run counts for: an LLM service may report any number, and counters have 64 bits."""


@dataclass(slots=True)
class Permit:
    """The right of one request to run. `charge` notes the tokens that it has used: they count at its end."""

    lease: Lease | None = None
    tokens: int = 0

    def charge(self, tokens: int) -> None:
        self.tokens = min(self.tokens + max(tokens, 0), _MOST_TOKENS)


@dataclass(slots=True)
class _Admission:
    """`lease`: acquired with the count of the request, until a permit of the same limiter takes it over."""

    limiter: "Limiter"
    lease: Lease | None = None

    def take(self) -> Lease | None:
        lease, self.lease = self.lease, None
        return lease


_admission: ContextVar[_Admission | None] = ContextVar("admission", default=None)
"""That of the present request."""


class Limiter:
    """Enforces the limits of API keys. For a key without limits it asks neither Redis nor the database.

    One with all limits costs a request two round trips to Redis: one before it runs, one when it has ended.
    """

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

    async def connect(self) -> None:
        """Connects to Redis, so that no caller has to wait for that. Raises StoreDown."""
        await self._store.connect()

    async def admit(self, principal: Principal) -> dict[str, str]:
        """Counts a request. Returns headers with the state of the limits; a refusal has them too.

        Raises LimitReached and LimitsUnavailable.
        """
        return await self._admit(principal, None)

    @asynccontextmanager
    async def admitted(self, principal: Principal) -> AsyncIterator[Mapping[str, str]]:
        """Counts a request that the block answers, and yields the headers of `admit`. Raises what it raises.

        The first permit in the block asks nothing more. Where no other request may run, that is said by the
        permit, and not before: the request may need none.
        """
        admission = _Admission(self)
        headers = await self._admit(principal, admission)
        before = _admission.get()
        _admission.set(admission)
        try:
            yield headers
        finally:
            _admission.set(before)
            await self._give_back(admission)

    async def give_back(self) -> None:
        """Lets others run while the present request, which has no permit yet, waits or goes on elsewhere."""
        if (admission := _admission.get()) is not None:
            await self._give_back(admission)

    @asynccontextmanager
    async def permit(self, principal: Principal) -> AsyncIterator[Permit]:
        """Runs the block as a concurrent request of the key. Raises LimitReached and LimitsUnavailable.

        However it ends, what was charged to the permit is counted then. That never fails.
        """
        permit = Permit(self._taken_over(principal) or await self._acquire(principal))
        try:
            yield permit
        finally:
            await self._end(principal, permit)

    async def _admit(self, principal: Principal, admission: _Admission | None) -> dict[str, str]:
        await _require_budget(principal)
        rates = await self._counted(principal, admission)
        headers = {name: value for rate in rates for name, value in rate.headers.items()}
        for rate in rates:
            if rate.is_exceeded:
                raise _rate_limit_exceeded(rate, headers)
        return headers

    async def _counted(self, principal: Principal, admission: _Admission | None) -> list[Rate]:
        """Counts a request, and acquires the lease of an admission where that takes no question more."""
        limits, wanted = principal.limits, None
        if limits.requests_per_minute is None and limits.tokens_per_minute is None:
            return []
        if admission is not None and (limit := limits.concurrent_requests) is not None:
            wanted = WantedLease(Lease(principal.limited_as), limit, self._leases.lease_s)
        try:
            async with self._store.within_deadline():
                rates, is_acquired = await self._rates.count(principal.limited_as, limits, wanted)
        except StoreDown:
            _require_open()
            return []
        if admission is not None and wanted is not None and is_acquired:
            self._leases.hold(wanted.lease)
            admission.lease = wanted.lease
        return rates

    async def _give_back(self, admission: _Admission) -> None:
        if (lease := admission.take()) is not None:
            await self._leases.release(lease)

    def _taken_over(self, principal: Principal) -> Lease | None:
        """Returns the lease that the present request was admitted with, once."""
        admission = _admission.get()
        if admission is None or admission.limiter is not self or admission.lease is None:
            return None
        return admission.take() if admission.lease.caller == principal.limited_as else None

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

    async def _end(self, principal: Principal, permit: Permit) -> None:
        lease, tokens, limit = permit.lease, permit.tokens, principal.limits.tokens_per_minute
        if tokens and principal.user_id is None:
            budget.spend(principal.id, tokens)
        if tokens and limit is not None:
            if lease is not None:
                self._leases.drop(lease)
            with suppress(StoreDown):  # the month above is in PostgreSQL and loses nothing; a lease expires
                async with self._store.within_deadline():
                    await self._rates.spend(principal.limited_as, limit, tokens, lease)
        elif lease is not None:
            await self._leases.release(lease)


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
