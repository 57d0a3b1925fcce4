"""Redis as a store that may be away: every use has a deadline of 100 ms and passes a circuit breaker."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from django.conf import settings
from redis import Redis as BlockingRedis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as BlockingRetry
from redis.sentinel import Sentinel

from core.circuit_breaker import CircuitBreaker, CircuitOpen
from core.log_pace import LogPace
from core.refused_writes import refusal
from core.sentinel import SentinelPool
from core.sentinel_address import SentinelAddress

log = logging.getLogger(__name__)

DEADLINE_S = 0.1
_STEPS = 5
"""Into how many steps a deadline is divided."""
_SOCKET_TIMEOUT_S = 5
_MOST_CONNECTIONS = 50
_REST_S = 1.0
_FAILURES = (RedisError, OSError, TimeoutError)


class StoreDown(Exception):
    """Redis did not answer in time, or did not some moments ago and is not asked now."""


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    """Bounds the block by DEADLINE_S of a loop that is not blocked. Raises TimeoutError."""
    async with asyncio.timeout(None) as timeout:
        steps = _Steps(timeout)
        try:
            yield
        finally:
            steps.cancel()


class _Steps:
    """The steps to a deadline, each a timer that is started by the one before.

    A plain time-out would pass while the loop is busy with something else and the answer waits in the socket:
    limits would not hold just when there is much to do. These cannot expire together in one blocked turn of
    the loop.
    """

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._left = _STEPS
        self._timer = self._started()

    def cancel(self) -> None:
        self._timer.cancel()

    def _started(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(DEADLINE_S / _STEPS, self._passed)

    def _passed(self) -> None:
        self._left -= 1
        if self._left:
            self._timer = self._started()
        else:
            self._timeout.reschedule(asyncio.get_running_loop().time())


def blocking(url: str = "", *, timeout_s: float = _SOCKET_TIMEOUT_S) -> BlockingRedis:
    """Returns a client for code without an event loop, of REDIS_URL if no other is given.

    Raises ValueError where that is no address.
    """
    url = url or settings.REDIS_URL
    timeouts = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    if (address := SentinelAddress.parse(url)) is None:
        return BlockingRedis.from_url(url, **timeouts)
    options = {**address.sentinel_options, "retry": BlockingRetry(NoBackoff(), 0)}
    sentinels: Any = Sentinel(address.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    primary: BlockingRedis = sentinels.master_for(
        address.service, db=address.database, **address.login, **timeouts
    )
    return primary


def unbounded() -> Redis:
    """Returns a client of REDIS_URL for a question that is seldom asked, and that bounds itself."""
    return Redis.from_pool(_pool(settings.REDIS_URL))


def _pool(url: str) -> BlockingConnectionPool:
    options = {
        "max_connections": _MOST_CONNECTIONS,
        "timeout": _SOCKET_TIMEOUT_S,
        "socket_timeout": _SOCKET_TIMEOUT_S,
        "socket_connect_timeout": _SOCKET_TIMEOUT_S,
        # One retry, for connections that a restarted Redis closed while they were idle.
        "retry": Retry(NoBackoff(), 1),
    }
    if (address := SentinelAddress.parse(url)) is None:
        return BlockingConnectionPool.from_url(url, **options)
    return SentinelPool(address, **options)


class Store:
    """A Redis with a pool of connections. After three failures in a row it is asked once a second only."""

    def __init__(self, url: str) -> None:
        self.pool = _pool(url)
        self.redis = Redis(connection_pool=self.pool)
        self._breaker = CircuitBreaker(trips_on=_FAILURES, rest_s=_REST_S)
        self._is_away = False
        self._refusals = LogPace()

    @asynccontextmanager
    async def within_deadline(self) -> AsyncIterator[Redis]:
        """Bounds all commands of the block together by DEADLINE_S. Raises StoreDown."""
        try:
            with self._breaker.protect():
                async with _deadline():
                    yield self.redis
                if self._is_away:
                    log.warning("Redis answers again.")
                    self._is_away = False
        except CircuitOpen as refused:
            raise StoreDown from refused
        except _FAILURES as error:
            self._tell(error)
            raise StoreDown from error

    def _tell(self, error: Exception) -> None:
        """Logs an outage once, and not for each question. Who takes no writes answers others meanwhile."""
        if refused := refusal(error):
            if self._refusals.is_due():
                log.error("Redis %s", refused)
        elif not self._is_away:
            log.error("Redis does not answer (%s): it is asked once a second.", type(error).__name__)
            self._is_away = True

    async def connect(self) -> None:
        """Opens a connection, which the next use finds open. Raises StoreDown."""
        async with self.within_deadline() as redis:
            await redis.ping()

    async def close(self) -> None:
        await self.pool.disconnect()


class SharedStore:
    """A Store of Redis that the code of one event loop shares for as long as `lifespan` lasts.

    Each use has its own, with a pool and a breaker: what is slow for one must not stop the others.
    """

    def __init__(self) -> None:
        self._store: Store | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Connects this event loop to Redis."""
        store = self._store = Store(settings.REDIS_URL)
        try:
            yield
        finally:
            self._store = None
            await store.close()

    @property
    def redis(self) -> Redis:
        """Redis without a deadline. Raises StoreDown outside of `lifespan`."""
        return self._opened().redis

    @asynccontextmanager
    async def within_deadline(self) -> AsyncIterator[Redis]:
        """Bounds the block as `Store.within_deadline` does. Raises StoreDown, outside of `lifespan` too."""
        async with self._opened().within_deadline() as redis:
            yield redis

    async def connect(self) -> None:
        """Opens a connection, which the next use finds open. Raises StoreDown."""
        await self._opened().connect()

    def _opened(self) -> Store:
        if self._store is None:
            raise StoreDown
        return self._store
