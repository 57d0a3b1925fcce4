"""What clients leave behind in the web process: hardly anything."""

import asyncio
import json
from urllib.parse import urlsplit

import psutil

from tests.assistants.mcp_endpoint.clients import JSON_AND_EVENTS
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.stack import Stack

MB = 1_000_000
CONNECTIONS = 8
CLIENT = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "x", "version": "1"},
}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT}


class Connection:
    """A connection that is kept, with nothing of a client's own about it: ten thousand requests are many."""

    def __init__(self, desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        host = urlsplit(desk.url).netloc
        self._head = (
            f"POST /mcp HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {desk.key.key}\r\n"
            f"Accept: {JSON_AND_EVENTS}\r\nContent-Type: application/json\r\n"
        )

    @classmethod
    async def opened(cls, desk: Desk) -> "Connection":
        where = urlsplit(desk.url)
        return cls(desk, *await asyncio.open_connection(where.hostname, where.port))

    async def post(self, message: dict[str, object], session: str = "") -> dict[str, str]:
        """Returns the headers of the answer."""
        body = json.dumps(message)
        named = f"Mcp-Session-Id: {session}\r\n" if session else ""
        self._writer.write(f"{self._head}{named}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        assert first.split()[1] in {"200", "202"}, first
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        await self._reader.readexactly(int(headers["content-length"]))
        return headers

    async def initialize(self) -> str:
        return (await self.post(INITIALIZE))["mcp-session-id"]

    async def live(self) -> None:
        """Begins a session, uses it, and leaves it."""
        session = await self.initialize()
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
        await self.post({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, session)

    def close(self) -> None:
        self._writer.close()


async def initialize(desk: Desk, times: int) -> None:
    await asyncio.gather(*(_repeat(desk, "initialize", times // CONNECTIONS) for _ in range(CONNECTIONS)))


async def live(desk: Desk, times: int) -> None:
    await asyncio.gather(*(_repeat(desk, "live", times // CONNECTIONS) for _ in range(CONNECTIONS)))


async def _repeat(desk: Desk, what: str, times: int) -> None:
    connection = await Connection.opened(desk)
    for _ in range(times):
        await getattr(connection, what)()
    connection.close()


def memory(stack: Stack) -> int:
    """The bytes that the web process holds."""
    return int(psutil.Process(stack.process("web").popen.pid).memory_info().rss)


async def test_ten_thousand_that_only_begin_leave_nothing(stack: Stack, desk: Desk) -> None:
    await initialize(desk, 1_000)
    before = memory(stack)
    await initialize(desk, 10_000)
    assert memory(stack) - before < 5 * MB


async def test_a_thousand_idle_sessions_take_little(stack: Stack, desk: Desk) -> None:
    await live(desk, 16)
    before = memory(stack)
    await live(desk, 1_000)
    assert memory(stack) - before < 20 * MB
