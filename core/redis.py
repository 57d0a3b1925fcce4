"""Redis as the limits use it: it is asked within a deadline, and may be away."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.circuit_breaker import CircuitBreaker, CircuitOpen

log = logging.getLogger(__name__)

DEADLINE_S = 0.1
_LOOKS = 5  # within a deadline
_SOCKET_TIMEOUT_S = 5
_MOST_CONNECTIONS = 50
_REST_S = 1.0
_FAILURES = (RedisError, OSError, TimeoutError)


class StoreDown(Exception):
    """Redis did not answer in time, or did not some moments ago."""


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """A deadline that a busy event loop does not use up: it is looked at in small steps.

    A plain one passes while the loop does something else, with the answer waiting in the socket. Limits would
    not hold just when there is much to do. Raises TimeoutError.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def look(left: int) -> None:
        nonlocal timer
        if left:
            timer = loop.call_later(DEADLINE_S / _LOOKS, look, left - 1)
        else:
            timeout.reschedule(loop.time())

    async with asyncio.timeout(None) as timeout:
        timer = loop.call_later(DEADLINE_S / _LOOKS, look, _LOOKS - 1)
        try:
            yield
        finally:
            timer.cancel()


class Store:
    """After some failures in a row only one question a second is asked; the others fail at once."""

    def __init__(self, url: str) -> None:
        # One retry, for connections that a restarted Redis closed while they were idle.
        self.pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_MOST_CONNECTIONS,
            timeout=_SOCKET_TIMEOUT_S,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self.redis = Redis(connection_pool=self.pool)
        self._breaker = CircuitBreaker(trips_on=_FAILURES, rest_s=_REST_S)

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[Redis]:
        """The block's questions have 100 ms together. Raises StoreDown."""
        try:
            with self._breaker.protect():
                async with _patience():
                    yield self.redis
                if self._breaker.failures:
                    log.warning("Redis answers again: limits are counted.")
        except CircuitOpen as refusal:
            raise StoreDown from refusal
        except _FAILURES as error:
            if self._breaker.failures == 1:  # an outage is logged once, not for each question
                log.error("Redis does not answer (%s): limits cannot be counted.", type(error).__name__)
            raise StoreDown from error

    async def close(self) -> None:
        await self.pool.disconnect()
