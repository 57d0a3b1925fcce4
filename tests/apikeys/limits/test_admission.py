"""Requests of keys with limits a minute and of requests at once: one question to Redis before, one after."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from redis import Redis

from apikeys.errors import LimitReached
from apikeys.limits.limiter import Limiter
from apikeys.principal import Principal
from tests.apikeys.limits.limiting import caller, limiters, questions, runs

ALL = {"requests_per_minute": 9, "tokens_per_minute": 99, "concurrent_requests": 1}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that Redis answers late is not counted: on a busy machine some would be."""
    monkeypatch.setattr("core.redis.DEADLINE_S", 5)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


async def request(limiter: Limiter, principal: Principal, seconds: float = 0) -> bool:
    """Returns whether it ran."""
    async with limiter.admitted(principal):
        try:
            async with limiter.permit(principal) as permit:
                permit.charge(1)
                await asyncio.sleep(seconds)
        except LimitReached:
            return False
        return True


async def test_a_request_is_one_question_before_it_runs_and_one_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with limiters(1) as (limiter,):
        await request(limiter, caller(**ALL))  # now Redis knows the scripts
        asked = questions(limiter, monkeypatch)
        assert await request(limiter, caller(**ALL))
        assert asked == ["EVALSHA", "EVALSHA"]
        asked.clear()
        assert await request(limiter, caller())
        assert asked == []


async def test_requests_at_once_are_counted_exactly_over_two_limiters() -> None:
    principal = caller(requests_per_minute=99, concurrent_requests=3)
    async with limiters() as (one, other):
        outcomes = [asyncio.create_task(request(limiter, principal, 0.3)) for limiter in (one, other) * 5]
        assert sum(await asyncio.gather(*outcomes)) == 3
        assert await request(other, principal)  # all are free again


async def test_where_others_run_only_a_permit_is_refused() -> None:
    principal = caller(**ALL)
    async with limiters() as (one, other), one.permit(principal), other.admitted(principal) as headers:
        assert headers["x-ratelimit-remaining-requests"] == "8"
        assert not await runs(other, principal)


async def test_a_permit_is_given_where_the_others_have_ended_meanwhile() -> None:
    principal = caller(**ALL)
    async with limiters() as (one, other):
        async with one.permit(principal):
            admitted = other.admitted(principal)
            await admitted.__aenter__()
        assert await runs(other, principal)
        await admitted.__aexit__(None, None, None)


async def test_a_request_without_a_run_leaves_its_place_to_others() -> None:
    principal = caller(**ALL)
    async with limiters() as (one, other):
        async with one.admitted(principal):
            assert not await runs(other, principal)
        assert await runs(other, principal)
        async with one.admitted(principal):
            await one.give_back()
            assert await runs(other, principal)
            assert await runs(one, principal)


async def test_a_refused_request_takes_no_place(redis: Redis) -> None:
    principal = caller(requests_per_minute=1, tokens_per_minute=1, concurrent_requests=1)
    async with limiters(1) as (limiter,):
        assert await request(limiter, principal)
        with pytest.raises(LimitReached):
            await request(limiter, principal)
        assert redis.zcard(f"mcp-connector:running:{principal.id}") == 0


async def test_the_place_of_a_request_is_held_for_longer_than_a_lease() -> None:
    principal = caller(**ALL)
    async with limiters(lease_s=0.6) as (one, other), one.admitted(principal), one.permit(principal):
        await asyncio.sleep(1.5)
        assert not await runs(other, principal)


async def test_a_request_that_goes_on_by_itself_gets_a_permit_of_its_own() -> None:
    principal = caller(**ALL)
    async with limiters(1) as (limiter,):
        async with limiter.admitted(principal):
            later = asyncio.create_task(runs(limiter, principal, 0.2))  # begins when the block has ended
        assert await later


async def test_a_cancelled_request_leaves_its_place_to_others(redis: Redis) -> None:
    principal = caller(**ALL)
    async with limiters() as (one, other):
        running = asyncio.create_task(request(one, principal, 60))
        while not redis.zcard(f"mcp-connector:running:{principal.id}"):
            await asyncio.sleep(0.01)
        assert not await runs(other, principal)
        running.cancel()
        await asyncio.wait([running])
        assert await runs(other, principal)
