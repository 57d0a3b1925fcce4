"""Callers and workers that break the rules of their connection, or are of another release."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector.client import connection as client
from connector.client import pool
from connector.data_plane import connection as worker
from connector.errors import CallFailed
from connector.wire.frames import CANCEL, HELLO, LAST, MORE, REQUEST, frame
from tests.connector.conftest import wait_for
from tests.connector.data_plane.connections.conftest import GREETING, MIB, Worker, ask, raw


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
    reader, writer = await raw(served)
    whole = frame(REQUEST, 5, b'{"ask": "echo", "body": 1}')
    for number in range(len(whole)):
        writer.write(whole[number : number + 1])
        await asyncio.sleep(0)
    expected = frame(LAST, 5, b'{"result":1}')
    assert await asyncio.wait_for(reader.readexactly(len(expected)), 5) == expected
    writer.close()


async def test_kinds_and_fields_of_a_later_release_are_ignored(served: Worker) -> None:
    reader, writer = await raw(served)
    writer.write(frame(99, 5, b"\xff") + frame(98 | MORE, 5, b"\xff") + frame(97, 5, b"{}"))
    writer.write(frame(REQUEST, 5, b'{"ask": "echo", "body": 1, "new": 2}'))
    expected = frame(LAST, 5, b'{"result":1}')
    assert await asyncio.wait_for(reader.readexactly(len(expected)), 5) == expected
    writer.close()


async def test_a_cancellation_ends_a_request_that_has_half_come(served: Worker) -> None:
    reader, writer = await raw(served)
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
    reader, writer = await raw(served)
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
