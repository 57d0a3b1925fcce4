"""Limits a minute and of concurrency, in a real Redis."""

import asyncio
import os
import subprocess
import time

import pytest
from redis import Redis

from apikeys.errors import LimitReached
from tests.apikeys.limits.limiting import ROOT, caller, is_admitted, limiters, program, questions, runs, spend

REQUESTS = """
async def main(id):
    limiter = Limiter(os.environ["REDIS_URL"])
    admitted = 0
    async with limiter.running():
        print("ready", flush=True); sys.stdin.readline()
        for _ in range(300):
            try:
                await limiter.admit(caller_of(id, requests_per_minute=200))
                admitted += 1
            except LimitReached:
                pass
    print(admitted)
asyncio.run(main(*args))
"""
AN_HOUR_MS = 3_600_000
HOLDING = """
async def main(id):
    limiter = Limiter(os.environ["REDIS_URL"], lease_s=1)
    async with limiter.running(), limiter.permit(caller_of(id, concurrent_requests=1)):
        print("held", flush=True)
        await asyncio.sleep(60)
asyncio.run(main(*args))
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that Redis answers late is not counted: on a busy machine some would be."""
    monkeypatch.setattr("core.redis.DEADLINE_S", 5)


def start(script: str, *args: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        program(script, *args), cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


async def test_requests_are_counted_exactly_over_two_limiters() -> None:
    principal = caller(requests_per_minute=10)
    async with limiters() as (one, other):
        asked = (is_admitted(limiter, principal) for _ in range(15) for limiter in (one, other))
        assert sum(await asyncio.gather(*asked)) == 10


async def test_requests_are_counted_exactly_over_two_processes() -> None:
    principal = caller(requests_per_minute=200)
    process = start(REQUESTS, principal.id)
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    async with limiters(1) as (limiter,):
        ours = [await is_admitted(limiter, principal) for _ in range(300)]
    theirs = int(process.communicate(timeout=60)[0])
    assert sum(ours) + theirs == 200
    assert min(sum(ours), theirs) > 0


async def test_keys_do_not_share_their_limits() -> None:
    async with limiters(1) as (limiter,):
        first, second = caller(requests_per_minute=1), caller(requests_per_minute=1)
        assert [await is_admitted(limiter, each) for each in (first, first, second)] == [True, False, True]


async def test_half_a_window_later_half_of_the_requests_fit_again() -> None:
    principal = caller(requests_per_minute=10)
    async with limiters(1) as (limiter,):
        assert [await is_admitted(limiter, principal) for _ in range(11)] == [True] * 10 + [False]
        with Redis.from_url(redis_url()) as redis:
            [present] = redis.scan_iter(f"mcp-connector:*{principal.id}*")
            redis.pexpire(present, 30_500)  # it expires a window after its end
        assert [await is_admitted(limiter, principal) for _ in range(6)] == [True] * 5 + [False]
        with pytest.raises(LimitReached) as refusal:
            await limiter.admit(principal)
    assert 1 <= int(refusal.value.headers["retry-after"]) <= 6  # one of ten counts for a tenth of a minute


async def test_all_limits_a_minute_are_one_question_to_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    principal = caller(requests_per_minute=5, tokens_per_minute=5)
    async with limiters(1) as (limiter,):
        await limiter.admit(principal)  # a Redis that does not know the script yet is asked more
        asked = questions(limiter, monkeypatch)
        await limiter.admit(principal)
    assert asked == ["EVALSHA"]


async def test_headers_report_the_state_of_the_limits() -> None:
    principal = caller(requests_per_minute=5, tokens_per_minute=100)
    async with limiters(1) as (limiter,):
        await limiter.admit(principal)
        await spend(limiter, principal, 30)
        headers = await limiter.admit(principal)
    assert headers["x-ratelimit-limit-requests"] == "5"
    assert headers["x-ratelimit-remaining-requests"] == "3"
    assert headers["x-ratelimit-limit-tokens"] == "100"
    assert headers["x-ratelimit-remaining-tokens"] == "70"
    for unit in ("requests", "tokens"):
        assert 0 < float(headers[f"x-ratelimit-reset-{unit}"].removesuffix("s")) <= 60


async def test_a_refusal_says_when_to_retry() -> None:
    principal = caller(requests_per_minute=1)
    async with limiters(1) as (limiter,):
        await limiter.admit(principal)
        with pytest.raises(LimitReached, match="1 requests a minute") as refusal:
            await limiter.admit(principal)
    assert refusal.value.get_codes() == "rate_limit_exceeded"
    assert 1 <= int(refusal.value.headers["retry-after"]) <= 60
    assert refusal.value.headers["x-ratelimit-remaining-requests"] == "0"


async def test_spent_tokens_refuse_the_next_request_everywhere() -> None:
    principal = caller(tokens_per_minute=100)
    async with limiters() as (one, other):
        await spend(one, principal, 60)
        assert await is_admitted(other, principal)
        await spend(other, principal, 60)  # a run may overdraw
        assert not await is_admitted(one, principal)
        assert not await is_admitted(other, principal)


async def test_a_run_of_absurdly_many_tokens_is_counted() -> None:
    principal = caller(tokens_per_minute=100)
    async with limiters(1) as (limiter,):
        await spend(limiter, principal, 10**40)
        assert not await is_admitted(limiter, principal)


async def test_permits_are_counted_exactly_over_two_limiters() -> None:
    principal = caller(concurrent_requests=3)
    async with limiters() as (one, other):
        outcomes = [asyncio.create_task(runs(limiter, principal, 0.3)) for limiter in (one, other) * 5]
        assert sum(await asyncio.gather(*outcomes)) == 3
        assert await runs(other, principal)  # all are free again


async def test_a_cancelled_request_releases_its_permit() -> None:
    principal = caller(concurrent_requests=1)
    async with limiters() as (one, other):
        running = asyncio.create_task(runs(one, principal, 60))
        await asyncio.sleep(0.1)
        assert not await runs(other, principal)
        running.cancel()
        await asyncio.wait([running])
        assert await runs(other, principal)


async def test_a_running_request_holds_its_permit_for_longer_than_a_lease() -> None:
    principal = caller(concurrent_requests=1)
    async with limiters(lease_s=0.6) as (one, other), one.permit(principal):
        await asyncio.sleep(1.5)
        assert not await runs(other, principal)


async def test_running_requests_are_counted_again_after_redis_was_emptied() -> None:
    principal = caller(concurrent_requests=1)
    async with limiters(lease_s=0.6) as (one, other), one.permit(principal):
        with Redis.from_url(redis_url()) as redis:
            redis.delete(f"mcp-connector:running:{principal.id}")
        await asyncio.sleep(0.4)
        assert not await runs(other, principal)


async def test_the_permits_of_a_killed_process_are_free_after_a_lease() -> None:
    principal = caller(concurrent_requests=1)
    async with limiters(1) as (limiter,):
        process = start(HOLDING, principal.id)
        assert process.stdout.readline() == "held\n"
        assert not await runs(limiter, principal)
        process.kill()
        process.communicate()
        died_at = time.monotonic()
        while not await runs(limiter, principal):
            await asyncio.sleep(0.05)
        assert time.monotonic() - died_at < 10  # a lease by default takes 15 s


async def test_all_keys_in_redis_expire() -> None:
    principal = caller(requests_per_minute=5, tokens_per_minute=5, concurrent_requests=5)
    async with limiters(1) as (limiter,), limiter.permit(principal):
        await limiter.admit(principal)
        await spend(limiter, principal, 1)
        with Redis.from_url(redis_url()) as redis:
            keys = list(redis.scan_iter(f"mcp-connector:*{principal.id}*"))
            assert len(keys) == 3
            assert all(0 < redis.ttl(key) <= 120 for key in keys)


def redis_url() -> str:
    return os.environ["REDIS_URL"]


async def test_counters_from_before_the_clock_was_set_back_are_forgotten() -> None:
    """Their time to live is then longer by as much."""
    limited = caller(requests_per_minute=2, tokens_per_minute=10, concurrent_requests=1)
    async with limiters(1) as (limiter,):
        while await is_admitted(limiter, limited):
            await spend(limiter, limited, 10)
        with Redis.from_url(os.environ["REDIS_URL"]) as redis:
            for key in redis.scan_iter(f"*/{limited.limited_as}/*"):
                redis.pexpire(key, redis.pttl(key) + AN_HOUR_MS)
            leases = f"mcp-connector:running:{limited.limited_as}"
            redis.zadd(leases, {"of a process that has died": time.time() + AN_HOUR_MS / 1000})
        assert await is_admitted(limiter, limited)
        assert await runs(limiter, limited)
