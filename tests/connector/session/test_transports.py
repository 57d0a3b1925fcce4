"""Calls over every transport to a server on the official SDK."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.client import calls
from connector.errors import CallFailed
from connector.wire.results import Progress
from tests.connector.conftest import SERVERS, wait_for
from tests.ports import listed_port
from tools import actions
from tools.models import MCPTool, Status

REMOTE = {"sse": ("sse", "/sse"), "streamable_http": ("streamable-http", "/mcp")}


class Remote:
    def __init__(self, connection_type: str) -> None:
        self._transport, path = REMOTE[connection_type]
        self.port = listed_port()
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, str(SERVERS / "real.py"), self._transport, str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < until
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def remote() -> Iterator[Callable[[str], Remote]]:
    started: list[Remote] = []

    def start(connection_type: str) -> Remote:
        started.append(Remote(connection_type))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def small_results(settings: Any, supervise: Any) -> None:
    """A supervisor whose limit is 100 kB."""
    settings.MCP_RESULT_LIMIT = 100_000
    supervise()


@pytest.fixture
def patient(monkeypatch: Any, supervise: Any) -> None:
    """A supervisor that retries within 0.3 s, however often it has failed."""
    monkeypatch.setattr("connector.states.BACKOFF_CAP_S", 0.3)
    supervise()


@pytest.fixture(scope="module")
def lasting() -> Iterator[dict[str, Remote]]:
    """Servers for the tests that leave them alive."""
    remotes = {connection_type: Remote(connection_type) for connection_type in REMOTE}
    for one in remotes.values():
        one.start()
    yield remotes
    for one in remotes.values():
        one.kill()


async def register(servers: Any, connection_type: str, lasting: Any) -> MCPTool:
    if connection_type == "stdio":
        return await servers.running(args=[str(SERVERS / "real.py"), "stdio"])
    return await servers.running(connection_type=connection_type, url=lasting[connection_type].url)


@pytest.mark.parametrize("connection_type", ["stdio", "sse", "streamable_http"])
async def test_a_real_server_is_called(
    servers: Any, supervise: Any, caller: Any, lasting: Any, connection_type: str
) -> None:
    supervise()
    server = await register(servers, connection_type, lasting)
    result = await caller(server, "add", a=2, b=3)
    assert (result.content[0]["text"], result.structured_content) == ("5", {"result": 5})


@pytest.mark.parametrize("connection_type", ["stdio", "sse", "streamable_http"])
async def test_a_result_of_two_megabytes_arrives(
    servers: Any, supervise: Any, caller: Any, lasting: Any, connection_type: str
) -> None:
    supervise()
    server = await register(servers, connection_type, lasting)
    result = await caller(server, "big", size=2_000_000)
    assert len(result.content[0]["text"]) == 2_000_000


@pytest.mark.parametrize("connection_type", ["stdio", "sse", "streamable_http"])
async def test_a_result_over_the_limit_fails_only_its_own_call(
    servers: Any, small_results: Any, caller: Any, lasting: Any, connection_type: str
) -> None:
    server = await register(servers, connection_type, lasting)
    with pytest.raises(CallFailed) as failed:
        await caller(server, "big", size=200_000, timeout_s=4)
    assert failed.value.code == "output_too_large"
    assert (await caller(server, "add", a=2, b=3)).structured_content == {"result": 5}


@pytest.mark.parametrize("connection_type", ["stdio", "sse", "streamable_http"])
async def test_progress_arrives_while_the_call_runs(
    servers: Any, supervise: Any, caller: Any, lasting: Any, connection_type: str
) -> None:
    supervise()
    server = await register(servers, connection_type, lasting)
    reports: list[Progress] = []
    await calls.call(server.pk, "slow", {"seconds": 0.1}, timeout_s=5, on_progress=reports.append)
    assert [step.progress for step in reports] == [1, 2, 3]
    assert reports[-1].message == "step 3"


@pytest.mark.parametrize("connection_type", ["sse", "streamable_http"])
async def test_a_remote_server_that_was_away_is_used_again(
    servers: Any, patient: Any, caller: Any, remote: Any, connection_type: str
) -> None:
    there = remote(connection_type)
    server = await servers.register(connection_type=connection_type, url=there.url)
    await servers.wait_until(server, Status.RUNNING)
    there.kill()
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "unreachable"
    there.start()
    await servers.wait_until(server, Status.RUNNING)
    assert (await caller(server, "add", a=2, b=3)).structured_content == {"result": 5}


async def test_a_call_in_flight_fails_at_once_when_the_remote_server_dies(
    servers: Any, supervise: Any, caller: Any, remote: Any
) -> None:
    supervise()
    there = remote("streamable_http")
    server = await servers.register(connection_type="streamable_http", url=there.url)
    await servers.wait_until(server, Status.RUNNING)
    call = asyncio.create_task(caller(server, "slow", seconds=30, timeout_s=30))
    await asyncio.sleep(0.3)
    os.kill(there.process.pid, signal.SIGKILL)
    with pytest.raises(CallFailed) as failed:
        await asyncio.wait_for(call, 15)
    assert failed.value.code == "server_restarting"


async def test_an_unreachable_remote_server_is_an_error_with_a_reason(servers: Any, supervise: Any) -> None:
    supervise()
    url = "http://127.0.0.1:9/mcp?key=canary"
    server = await servers.register(connection_type="streamable_http", url=url)
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "unreachable"
    assert "http://127.0.0.1:9 cannot be reached: it refuses connections." in row.error_message
    assert "canary" not in str(row.error)
    await servers.act(actions.stop, server)
    await wait_for(lambda: servers.wait_until(server, Status.STOPPED))


async def test_a_remote_server_with_an_unknown_name_is_said_to_have_one(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.register(connection_type="sse", url="http://nobody.invalid/sse")
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error_message == "http://nobody.invalid cannot be reached: its name is not known."


async def test_a_command_installed_beside_us_is_found(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running(command="mcp-server-time", args=[])
    result = await caller(server, "get_current_time", timezone="Asia/Shanghai")
    assert "+08:00" in result.content[0]["text"]


@pytest.mark.parametrize("connection_type", ["streamable_http", "sse"])
async def test_a_remote_server_that_answers_with_an_error_is_reported_with_its_http_status(
    servers: Any, supervise: Any, connection_type: str
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    supervise()
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as there:
        origin = f"http://127.0.0.1:{there.sockets[0].getsockname()[1]}"
        server = await servers.register(connection_type=connection_type, url=f"{origin}/mcp")
        row = await servers.wait_until(server, Status.ERROR)
        assert row.error["class"] == "unreachable"
        assert row.error_message == f"{origin} answered with HTTP 503 Service Unavailable."
        await servers.act(actions.stop, server)
        await wait_for(lambda: servers.wait_until(server, Status.STOPPED))
