"""The connection between callers and a worker: many requests at once, faults of either side, slow readers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.client import connection as client
from connector.client import pool
from connector.client.transport import result_of
from connector.data_plane import connection as worker
from connector.data_plane.answers import Answer
from connector.errors import CallFailed, ServerError
from connector.wire.frames import CANCEL, HELLO, LAST, MORE, REQUEST, FrameReader, frame
from connector.wire.token import data_plane_token
from tests.connector.conftest import wait_for

MIB = 1024 * 1024
GREETING = frame(HELLO, 0, orjson.dumps({"version": 1, "token": data_plane_token(), "new": [1]}))


class Worker:
    """A worker that serves these requests, on a unix socket and on TCP."""

    def __init__(self) -> None:
        self.connections: set[worker.Connection] = set()
        self.began = 0
        self.cancelled = 0
        self.addresses: list[str] = []

    async def echo(self, body: Any, answer: Answer) -> Any:
        return body

    async def large(self, body: int, answer: Answer) -> str:
        return "x" * body

    async def report(self, body: int, answer: Answer) -> str:
        for number in range(body):
            answer.interim({"number": number})
        return "reported"

    async def wait(self, body: Any, answer: Answer) -> None:
        self.began += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def refuse(self, body: Any, answer: Answer) -> None:
        raise ServerError(7, "no", {"why": body})

    async def count(self, body: int, answer: Answer) -> dict[str, int]:
        answer.interim({"progress": body**70})
        return {"wei": body**70}

    async def fail(self, body: Any, answer: Answer) -> None:
        raise ZeroDivisionError


@pytest.fixture
async def served(tmp_path: Path, settings: Any) -> AsyncIterator[Worker]:
    served = Worker()
    names = ("echo", "large", "report", "wait", "refuse", "fail", "count")
    handlers = {name: getattr(served, name) for name in names}
    loop = asyncio.get_running_loop()

    def connected() -> worker.Connection:
        return worker.Connection(handlers, served.connections)

    servers = [
        await loop.create_unix_server(connected, tmp_path / "s"),
        await loop.create_server(connected, "127.0.0.1", 0),
    ]
    served.addresses = [str(tmp_path / "s"), f"127.0.0.1:{servers[1].sockets[0].getsockname()[1]}"]
    yield served
    for server in servers:
        server.close()
    for each in served.connections.copy():
        each.abort()
    await wait_for(lambda: not served.connections)


@pytest.fixture
async def caller(served: Worker) -> AsyncIterator[client.Connection]:
    connection = await client.opened(served.addresses[0])
    yield connection
    connection.abort()
    await asyncio.sleep(0)


async def ask(
    connection: client.Connection, name: str, body: Any, heed: Callable[[Any], None] = lambda _: None
) -> Any:
    return result_of(await connection.ask(name, body, heed))


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
    reader, writer = await _raw(served)
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
    _, writer = await _raw(served)
    writer.write(frame(REQUEST, 1, orjson.dumps({"ask": "report", "body": 100_000})))
    [connection] = served.connections
    await wait_for(lambda: connection.waiting(1))
    assert connection.waiting(1) <= 257
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 64,
        b"POST /request HTTP/1.1\r\nhost: worker\r\n\r\n",
        frame(REQUEST, 1, b"{}"),
        frame(HELLO, 0, b"{"),
        frame(HELLO, 0, b"[]"),
        GREETING + b"\xff" * 64,
        GREETING + frame(REQUEST, 1, b"nonsense"),
        GREETING + 2 * frame(REQUEST, 1, b'{"ask": "wait", "body": 1}'),
    ],
)
async def test_what_is_no_frame_ends_its_connection_alone(
    caller: client.Connection, served: Worker, sent: bytes
) -> None:
    reader, writer = await asyncio.open_unix_connection(served.addresses[0])
    writer.write(sent)
    while await asyncio.wait_for(reader.read(1000), 5):
        pass
    writer.close()
    assert await ask(caller, "echo", 1) == 1


async def test_half_a_frame_is_waited_for(served: Worker) -> None:
    reader, writer = await _raw(served)
    whole = frame(REQUEST, 5, b'{"ask": "echo", "body": 1}')
    for number in range(len(whole)):
        writer.write(whole[number : number + 1])
        await asyncio.sleep(0)
    expected = frame(LAST, 5, b'{"result":1}')
    assert await asyncio.wait_for(reader.readexactly(len(expected)), 5) == expected
    writer.close()


async def test_kinds_and_fields_of_a_later_release_are_ignored(served: Worker) -> None:
    reader, writer = await _raw(served)
    writer.write(frame(99, 5, b"\xff") + frame(98 | MORE, 5, b"\xff") + frame(97, 5, b"{}"))
    writer.write(frame(REQUEST, 5, b'{"ask": "echo", "body": 1, "new": 2}'))
    expected = frame(LAST, 5, b'{"result":1}')
    assert await asyncio.wait_for(reader.readexactly(len(expected)), 5) == expected
    writer.close()


async def test_a_cancellation_ends_a_request_that_has_half_come(served: Worker) -> None:
    reader, writer = await _raw(served)
    writer.write(frame(REQUEST | MORE, 5, b'{"ask": ') + frame(CANCEL, 5, b""))
    writer.write(frame(REQUEST, 6, b'{"ask": "echo", "body": 1}'))
    assert await asyncio.wait_for(reader.readexactly(9), 5) == frame(LAST, 6, b'{"result":1}')[:9]
    [connection] = served.connections
    assert not connection._arriving
    writer.close()


async def test_a_request_beyond_the_limit_fails_alone(served: Worker, settings: Any) -> None:
    settings.MCP_RESULT_LIMIT = 100_000
    connection = await client.opened(served.addresses[0])
    for size in (99_999, 2 * MIB):
        with pytest.raises(CallFailed) as failed:
            await ask(connection, "echo", "x" * size)
        assert failed.value.code == "refused"
        assert await ask(connection, "echo", 1) == 1
    connection.close()


async def test_who_says_nothing_is_not_waited_for(served: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "HELLO_WITHIN_S", 0.1)
    reader, writer = await asyncio.open_unix_connection(served.addresses[0])
    assert await asyncio.wait_for(reader.read(1), 5) == b""
    writer.close()


async def test_a_worker_has_a_limit_of_requests(
    caller: client.Connection, served: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_REQUESTS", 1)
    waiting = asyncio.create_task(ask(caller, "wait", 0))
    await wait_for(lambda: served.began)
    with pytest.raises(CallFailed) as failed:
        await ask(caller, "echo", 1)
    assert failed.value.code == "overloaded"
    waiting.cancel()


async def test_a_stranger_cannot_fill_memory(served: Worker) -> None:
    reader, writer = await asyncio.open_unix_connection(served.addresses[0])
    writer.write(frame(HELLO | MORE, 1, b" " * 1000))
    assert await asyncio.wait_for(reader.read(1), 2) == b""
    writer.close()


async def test_a_request_that_cannot_be_written_leaves_nothing(caller: client.Connection) -> None:
    with pytest.raises(TypeError):
        caller.ask("echo", {"number": 2**70}, lambda _: None)
    assert not caller._asked


async def test_a_request_without_a_body_fails_alone(served: Worker) -> None:
    reader, writer = await _raw(served)
    writer.write(frame(REQUEST, 5, b'{"ask": ["echo"]}') + frame(REQUEST, 6, b'{"ask": "echo"}'))
    answers = await asyncio.wait_for(reader.readuntil(b'{"result":null}'), 5)
    assert b'"refused"' in answers
    writer.close()


async def test_numbers_of_any_size_are_an_answer(caller: client.Connection, served: Worker) -> None:
    told: list[Any] = []
    assert await ask(caller, "count", 2, told.append) == {"wei": float(2**70)}
    assert told == [{"progress": float(2**70)}]


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_worker_that_does_not_greet_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    monkeypatch.setattr(client, "CONNECT_TIMEOUT_S", 0.2)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        while await reader.read(1000):
            pass
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "s"):
        async with pool.lifespan():
            asked = [pool.connection_to(str(tmp_path / "s")) for _ in range(20)]
            failures = await asyncio.gather(*asked, return_exceptions=True)
        assert {getattr(each, "code", None) for each in failures} == {"stale_fence"}


async def test_who_leaves_while_it_connects_leaves_the_others(served: Worker) -> None:
    async with pool.lifespan():
        address = served.addresses[0]
        asked = [asyncio.create_task(pool.connection_to(address)) for _ in range(3)]
        await asyncio.sleep(0)
        asked[0].cancel()
        first, second = await asyncio.gather(*asked[1:])
        assert first is second
        assert await ask(first, "echo", 1) == 1


async def _raw(served: Worker) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Returns a greeted connection of bytes, on which only its own frames come."""
    reader, writer = await asyncio.open_unix_connection(served.addresses[0])
    writer.write(GREETING)
    expected = frame(HELLO, 0, b'{"version":1}')
    assert await asyncio.wait_for(reader.readexactly(len(expected)), 5) == expected
    return reader, writer
