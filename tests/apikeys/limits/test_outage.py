"""Limits while Redis is stopped, silent or restarted: each test starts its own."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apikeys.errors import LimitReached, LimitsUnavailable
from apikeys.limits.limiter import Limiter
from apikeys.principal import Principal
from config.runner import redis
from config.runner.network import free_port
from config.runner.processes import Running
from core import redis as redis_store
from tests.apikeys.limits.limiting import caller, is_admitted, limiters

LIMITS = {"requests_per_minute": 3, "tokens_per_minute": 100, "concurrent_requests": 1}


class OwnRedis:
    def __init__(self, folder: Path) -> None:
        self._service = redis.service(folder / "redis")
        self._log = folder / "redis.log"
        self.url = self._service.environment["REDIS_URL"]

    def start(self) -> None:
        self._running = Running(self._service.program(), self._log)
        self._running.wait_until(self._service.is_ready, timeout_s=30)

    def stop(self) -> None:
        self._running.stop(timeout_s=20)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    own_redis = OwnRedis(tmp_path)
    own_redis.start()
    yield own_redis
    own_redis.stop()


async def request(limiter: Limiter, principal: Principal) -> None:
    async with limiter.admitted(principal), limiter.permit(principal) as permit:
        permit.charge(1)


async def test_without_redis_requests_are_admitted_and_it_is_logged_once(
    own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    principal = caller(**LIMITS)
    async with limiters(1, url=own_redis.url) as (limiter,):
        await request(limiter, principal)
        own_redis.stop()
        for _ in range(10):
            await request(limiter, principal)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Redis does not answer" in caplog.text
    assert own_redis.url.split("@")[0] not in caplog.text


async def test_without_redis_requests_are_refused_if_that_is_set(
    own_redis: OwnRedis, settings: object
) -> None:
    settings.RATE_LIMIT_FAILS_OPEN = False
    async with limiters(1, url=own_redis.url) as (limiter,):
        own_redis.stop()
        with pytest.raises(LimitsUnavailable):
            await limiter.admit(caller(requests_per_minute=1))
        with pytest.raises(LimitsUnavailable):
            async with limiter.permit(caller(concurrent_requests=1)):
                pytest.fail("it ran")
        assert await limiter.admit(caller()) == {}


async def test_limits_are_enforced_again_once_redis_is_back(
    own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    principal = caller(requests_per_minute=1)
    async with limiters(1, url=own_redis.url) as (limiter,):
        own_redis.stop()
        assert [await is_admitted(limiter, principal) for _ in range(5)] == [True] * 5
        own_redis.start()
        await asyncio.sleep(1.1)
        assert [await is_admitted(limiter, principal) for _ in range(3)] == [True, False, False]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


async def test_limits_are_enforced_across_a_restart_of_redis(own_redis: OwnRedis) -> None:
    principal = caller(requests_per_minute=1)
    async with limiters(1, url=own_redis.url) as (limiter,):
        await limiter.admit(principal)
        own_redis.stop()
        own_redis.start()
        assert [await is_admitted(limiter, principal) for _ in range(2)] == [True, False]


async def test_running_requests_are_counted_again_after_an_outage(own_redis: OwnRedis) -> None:
    principal = caller(concurrent_requests=1)
    async with limiters(url=own_redis.url, lease_s=0.6) as (one, other), one.permit(principal):
        own_redis.stop()
        await asyncio.sleep(1)
        own_redis.start()
        await asyncio.sleep(1.5)
        with pytest.raises(LimitReached):
            async with other.permit(principal):
                pytest.fail("two at once")


async def test_a_silent_redis_delays_a_request_by_a_tenth_of_a_second() -> None:
    connections = 0

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read()
        writer.close()

    port = free_port()
    principal = caller(requests_per_minute=1, tokens_per_minute=1)
    async with (
        await asyncio.start_server(listen, "127.0.0.1", port),
        limiters(1, url=f"redis://127.0.0.1:{port}/0") as (limiter,),
    ):
        started = time.monotonic()
        for _ in range(100):
            await limiter.admit(principal)
        took_s = time.monotonic() - started
        # After three failures it is asked once a second only.
        assert 3 <= connections <= 3 + took_s
        assert took_s < 100 * redis_store.DEADLINE_S / 2


async def test_a_busy_event_loop_is_not_taken_for_an_outage(
    own_redis: OwnRedis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_store, "DEADLINE_S", 0.5)
    principal = caller(requests_per_minute=3)

    async def stall() -> None:
        for _ in range(4):
            time.sleep(0.6)  # noqa: ASYNC251 - this is the point
            await asyncio.sleep(0)

    async with limiters(1, url=own_redis.url) as (limiter,):
        asked = (is_admitted(limiter, principal) for _ in range(6))
        admitted = await asyncio.gather(*asked, stall())
    assert sum(admitted[:-1]) == 3
    assert not caplog.records


async def test_a_key_without_limits_never_asks_redis() -> None:
    async with limiters(1, url="redis://127.0.0.1:9/0") as (limiter,):  # discard: refuses at once
        assert await limiter.admit(caller()) == {}
        async with limiter.permit(caller()):
            assert limiter._store._breaker.failures == 0
        assert limiter._store.pool._available_connections == []
