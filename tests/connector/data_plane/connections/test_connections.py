"""The connection between callers and a worker: many requests at once, who leaves, slow readers."""

import asyncio
import time
from typing import Any

import orjson
import pytest

from connector.client import connection as client
from connector.errors import CallFailed, ServerError
from connector.wire.frames import LAST, REQUEST, FrameReader, frame
from tests.connector.conftest import wait_for
from tests.connector.data_plane.connections.conftest import MIB, Worker, ask, raw


async def test_a_thousand_requests_are_in_flight_at_once(caller: client.Connection) -> None:
    asked = (ask(caller, "echo", {"number": number}) for number in range(1000))
    assert await asyncio.gather(*asked) == [{"number": number} for number in range(1000)]
    assert not caller._asked


async def test_a_worker_is_asked_over_tcp(served: Worker) -> None:
    connection = await client.opened(served.addresses[1])
    assert await ask(connection, "large", 3 * MIB) == "x" * 3 * MIB
    connection.close()


async def test_requests_and_answers_of_many_frames_are_whole(caller: client.Connection) -> None:
    body = {"text": "é" * MIB}
    assert await ask(caller, "echo", body) == body


async def test_errors_are_those_of_the_worker(caller: client.Connection, caplog: Any) -> None:
    with pytest.raises(ServerError) as refused:
        await ask(caller, "refuse", "rain")
    assert (refused.value.code, refused.value.data) == (7, {"why": "rain"})
    with pytest.raises(CallFailed) as unknown:
        await ask(caller, "of a later release", {})
    assert unknown.value.code == "refused"
    with pytest.raises(CallFailed) as failed:
        await ask(caller, "fail", {})
    assert failed.value.code == "session_lost"
    assert "ZeroDivisionError" in caplog.text
    assert await ask(caller, "echo", 1) == 1


async def test_a_caller_that_leaves_cancels_its_request_alone(
    caller: client.Connection, served: Worker
) -> None:
    asked = [asyncio.create_task(ask(caller, "wait", {})) for _ in range(2)]
    await wait_for(lambda: served.began == 2)
    asked[0].cancel()
    await wait_for(lambda: served.cancelled == 1)
    [connection] = served.connections
    await wait_for(lambda: len(connection.tasks) == 1)
    assert not asked[1].done()
    asked[1].cancel()
    await wait_for(lambda: not connection.tasks)


async def test_a_caller_that_ends_cancels_all_its_requests(caller: client.Connection, served: Worker) -> None:
    asked = [asyncio.create_task(ask(caller, "wait", {})) for _ in range(3)]
    await wait_for(lambda: served.began == 3)
    caller.abort()
    await wait_for(lambda: served.cancelled == 3 and not served.connections)
    for each in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(each, CallFailed)
        assert each.code == "session_lost"


async def test_a_worker_that_ends_fails_all_that_is_in_flight(
    caller: client.Connection, served: Worker
) -> None:
    asked = [asyncio.create_task(ask(caller, "wait", {})) for _ in range(3)]
    await wait_for(lambda: served.began == 3)
    next(iter(served.connections)).abort()
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [getattr(each, "code", None) for each in failures] == ["session_lost"] * 3
    assert not caller.is_open
    with pytest.raises(CallFailed, match="ended"):
        await ask(caller, "echo", 1)


async def test_what_comes_before_the_result_keeps_its_order(caller: client.Connection) -> None:
    heard: list[Any] = []
    assert await ask(caller, "report", 100, heard.append) == "reported"
    assert heard == [{"number": number} for number in range(100)]


async def test_a_listener_that_fails_fails_its_own_request_alone(caller: client.Connection) -> None:
    def fail(_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(caller, "report", 1, fail)
    assert await ask(caller, "echo", 1) == 1


async def test_a_large_result_holds_no_other_up(caller: client.Connection) -> None:
    large = asyncio.create_task(ask(caller, "large", 12 * MIB))
    await asyncio.sleep(0)
    began = time.perf_counter()
    for number in range(10):
        assert await ask(caller, "echo", number) == number
    assert not large.done() or time.perf_counter() - began < 1
    assert len(await large) == 12 * MIB


async def test_a_caller_that_reads_slowly_is_not_read_either(served: Worker, settings: Any) -> None:
    settings.MCP_RESULT_LIMIT = MIB
    reader, writer = await raw(served)
    for number in range(1, 9):
        writer.write(frame(REQUEST, number, orjson.dumps({"ask": "large", "body": MIB - 100})))
    [connection] = served.connections
    await wait_for(lambda: not connection._is_reading)
    writer.write(frame(REQUEST, 9, orjson.dumps({"ask": "wait", "body": 0})))
    await asyncio.sleep(0.2)
    assert served.began == 0
    frames, ended = FrameReader(2 * MIB), set[int]()
    while len(ended) < 8:
        for kind, request, _ in frames.feed(await reader.read(MIB)):
            if kind == LAST:
                ended.add(request)
    await wait_for(lambda: served.began == 1)
    assert connection._waiting_bytes == 0
    writer.close()


async def test_reports_to_a_caller_that_does_not_read_are_dropped(served: Worker) -> None:
    _, writer = await raw(served)
    # More than sockets and streams hold that nobody reads from.
    writer.write(frame(REQUEST, 2, orjson.dumps({"ask": "large", "body": 4 * MIB})))
    writer.write(frame(REQUEST, 1, orjson.dumps({"ask": "report", "body": 100_000})))
    [connection] = served.connections
    await wait_for(lambda: connection.waiting(1))
    assert connection.waiting(1) <= 257
    writer.close()
