"""The soak: what counts as growth, and what its callers take for wrong."""

import asyncio
import mmap
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from django.conf import settings
from django.db import connection
from redis import Redis

from bench import upstream
from bench.loading.targets import Ask
from bench.soaking import report
from bench.soaking.callers import Told, ask_for_ever, ask_invalid_for_ever
from bench.soaking.requests import Invalid, Kind
from bench.soaking.usage import growths, measured, own_memory, staying_keys


def a_soak_of(what: str, *values: float) -> bool:
    (found,) = growths([{("web", what): value} for value in values])
    return found.is_too_much


def test_what_grows_by_more_than_three_percent_is_too_much():
    assert a_soak_of("memory, MB", 100, 100, 102, 103.5)
    assert not a_soak_of("memory, MB", 100, 100, 102, 102.9)
    assert not a_soak_of("memory, MB", 100, 120, 120, 90)


def test_ones_and_twos_are_no_growth():
    assert not a_soak_of("descriptors", 20, 20, 20, 22)
    assert a_soak_of("descriptors", 20, 20, 20, 23)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_what_a_process_allocates_and_not_a_file_that_it_maps(tmp_path: Path):
    file, size = tmp_path / "weights", 32 * 1024 * 1024
    file.write_bytes(b"x" * size)
    before = own_memory(os.getpid())
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped.find(b"y") == -1  # each page has been read
        with_file = own_memory(os.getpid())
        allocated = mmap.mmap(-1, size, mmap.MAP_PRIVATE)  # new pages, where the heap may have some left
        allocated.write(b"x" * size)
        assert with_file - before < size / 4
        assert own_memory(os.getpid()) - with_file > size * 3 / 4
    allocated.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.django_db
def test_of_postgresql_the_largest_connection_counts_and_not_how_many_there_are(tmp_path: Path):
    connection.ensure_connection()
    postmaster = psutil.Process(connection.connection.info.backend_pid).ppid()

    def largest() -> float:
        return measured({"PostgreSQL": [postmaster]}, tmp_path)["PostgreSQL", "largest process, MB"]

    before = largest()
    plan = f"PREPARE large AS SELECT '{'x' * 16_000_000}'"
    with connect() as one, connect() as other:
        one.execute(plan)
        with_one = largest()
        other.execute(plan)
        with_two = largest()
    assert with_one > before + 16
    assert with_two < with_one + 1


def connect() -> psycopg.Connection:
    return psycopg.connect(**connection.get_connection_params(), autocommit=True)


def test_keys_of_a_minute_follow_the_pace_and_do_not_count():
    with Redis.from_url(settings.REDIS_URL) as redis:
        before = staying_keys()
        try:
            redis.set("soak-for-ever", 1)
            redis.set("soak-for-an-hour", 1, ex=3_600)
            redis.set("soak-for-a-minute", 1, ex=60)
            assert staying_keys() == before + 2
        finally:
            redis.delete("soak-for-ever", "soak-for-an-hour", "soak-for-a-minute")


def test_a_soak_without_quarters_is_refused():
    with pytest.raises(ValueError, match="no quarters"):
        growths([{("web", "threads"): 1.0}] * 3)


def test_growth_and_errors_are_told():
    grown = growths([{("web", "memory, MB"): value} for value in (100.0, 100.0, 110.0, 120.0)])
    assert "20.0%  TOO MUCH" in report.of_usage(grown)
    told = {"chat": Told([0.01] * 30, ["wrong"])}
    assert report.of_requests(told, 10.0).splitlines()[-1].split() == ["all", "30", "1", "3.1", "a", "second"]


@asynccontextmanager
async def served(answer: Callable[[bytes, bytes], bytes]) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(upstream.Service, answer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answered(_: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


async def until_told(asking: asyncio.Task[None], told: Told) -> None:
    async with asyncio.timeout(5):
        while not (told.waits and told.errors) and not (len(told.waits) + len(told.errors) > 10):
            await asyncio.sleep(0.005)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


async def test_a_caller_counts_right_and_wrong_answers_and_goes_on():
    told = Told()
    asks = [Ask("POST", "/", b"right"), Ask("POST", "/", b"wrong")]
    kind = Kind("echo", asks, lambda status, body, _: (status, body) == (200, b"right"), 0.0)
    async with served(answered) as port:
        await until_told(asyncio.create_task(ask_for_ever(port, {}, kind, told)), told)
    assert told.waits
    assert told.errors[0] == "/: 200 b'wrong'"


async def test_an_invalid_request_that_is_served_is_an_error():
    told = Told(waits=[1.0])
    invalid = [Invalid("no key", Ask("POST", "/", b"{}"), 401, has_key=False)]
    async with served(answered) as port:
        asking = asyncio.create_task(ask_invalid_for_ever(port, {"authorization": "x"}, invalid, told))
        await until_told(asking, told)
    assert told.errors == ["no key: 200 and not 401, b'{}'"]
