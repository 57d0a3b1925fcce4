"""A worker's end of the data plane, with handlers of its own, and callers of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.client import connection as client
from connector.client.transport import result_of
from connector.data_plane import connection as worker
from connector.data_plane.answers import Answer
from connector.errors import ServerError
from connector.wire.frames import HELLO, frame
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


async def raw(served: Worker) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Returns a greeted connection of bytes, on which only its own frames come."""
    reader, writer = await asyncio.open_unix_connection(served.addresses[0])
    writer.write(GREETING)
    expected = frame(HELLO, 0, b'{"version":1}')
    assert await asyncio.wait_for(reader.readexactly(len(expected)), 5) == expected
    return reader, writer
