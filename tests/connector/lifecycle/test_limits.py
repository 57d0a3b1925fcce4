"""The limits of a server: beyond them it is killed with all that it started, and no other server is."""

import asyncio
import json
from typing import Any

import pytest

from connector.errors import CallFailed
from connector.lifecycle.diagnosis import ExitInfo, ExitReason, diagnose
from tests.connector.conftest import SERVERS, server_processes, wait_for
from tools.models import MCPTool, Status

GREEDY = [str(SERVERS / "greedy.py")]


@pytest.fixture
def limited(settings: Any) -> None:
    settings.MCP_MEMORY_LIMIT, settings.MCP_PROCESS_LIMIT = 150, 20


def processes_of(server: MCPTool) -> int:
    """Returns the number of processes that carry the server's marker; its shim carries none."""
    return len([process for process in server_processes() if process.server == f"{server.pk}.0"])


async def last_exit(servers: Any, server: MCPTool) -> str | None:
    instance = await servers.instance(server)
    return instance.last_exit["class"] if instance.last_exit else None


async def confinement_of(caller: Any, server: MCPTool) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await caller(server, "confinement")).content[0]["text"])
    return found


async def test_memory_is_counted_over_the_whole_tree(
    servers: Any, supervise: Any, caller: Any, limited: None
) -> None:
    supervise()
    server, bystander = await servers.running(args=GREEDY), await servers.running(name="bystander")
    others = (await servers.instance(bystander)).pid
    first = (await servers.instance(server)).pid
    assert (await caller(server, "feed", mib=80)).content[0]["text"] == "full"
    more = asyncio.create_task(caller(server, "feed", mib=80))
    with pytest.raises(CallFailed):
        await caller(server, "sleep", s=30, timeout_s=30)
    await asyncio.gather(more, return_exceptions=True)  # it is killed while this one is under way, or after

    async def ended() -> bool:
        return await last_exit(servers, server) == "out_of_memory"

    await wait_for(ended)
    await servers.wait_until(server, Status.RUNNING)
    assert (await servers.instance(server)).pid != first
    await wait_for(lambda: processes_of(server) == 1)
    assert (await servers.instance(bystander)).pid == others


async def test_memory_that_processes_share_counts_once(
    servers: Any, supervise: Any, caller: Any, limited: None
) -> None:
    supervise()
    server = await servers.running(args=GREEDY)
    await caller(server, "eat", mib=60)
    await caller(server, "share", copies=5)  # 400 MiB, if it were counted by process
    with pytest.raises(CallFailed) as failed:
        await caller(server, "sleep", s=30, timeout_s=3)
    assert failed.value.code == "tool_timeout"
    assert await last_exit(servers, server) is None


async def test_a_server_with_too_many_processes_is_killed(
    servers: Any, supervise: Any, caller: Any, limited: None
) -> None:
    supervise()
    server = await servers.running(args=GREEDY)
    await caller(server, "breed", count=15)
    assert processes_of(server) == 16
    more = asyncio.create_task(caller(server, "breed", count=10))
    with pytest.raises(CallFailed) as failed:
        await caller(server, "sleep", s=30, timeout_s=30)
    await asyncio.gather(more, return_exceptions=True)
    assert failed.value.code == "server_restarting"

    async def ended() -> bool:
        return await last_exit(servers, server) == "too_many_processes"

    await wait_for(ended)
    await wait_for(lambda: processes_of(server) == 1)


async def test_a_fork_bomb_is_killed(servers: Any, supervise: Any, caller: Any, limited: None) -> None:
    supervise()
    server = await servers.running(args=GREEDY)
    await caller(server, "explode", generations=9)

    async def ended() -> bool:
        return await last_exit(servers, server) == "too_many_processes"

    await wait_for(ended)
    await wait_for(lambda: processes_of(server) == 1)


async def test_a_limit_of_0_limits_nothing(servers: Any, supervise: Any, caller: Any, settings: Any) -> None:
    settings.MCP_MEMORY_LIMIT = settings.MCP_PROCESS_LIMIT = settings.MCP_OPEN_FILES_LIMIT = 0
    supervise()
    server = await servers.running(args=GREEDY)
    await caller(server, "eat", mib=200)
    await caller(server, "breed", count=30)
    with pytest.raises(CallFailed) as failed:
        await caller(server, "sleep", s=30, timeout_s=3)
    assert failed.value.code == "tool_timeout"


async def test_a_server_starts_confined(servers: Any, supervise: Any, caller: Any, settings: Any) -> None:
    settings.MCP_OPEN_FILES_LIMIT = 123
    supervise()
    seen = await confinement_of(caller, await servers.running(args=GREEDY))
    assert (seen["open_files"], seen["core"]) == ([123, 123], [0, 0])
    assert (seen["umask"], seen["no_new_privs"]) == (0o077, True)


async def test_a_flood_of_stray_lines_ends_the_server(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running(args=GREEDY)
    assert (await caller(server, "flood", lines=999)).content[0]["text"] == "flooded"
    assert (await caller(server, "flood", lines=999)).content[0]["text"] == "flooded"
    with pytest.raises(CallFailed) as failed:
        await caller(server, "flood", lines=1000)
    assert failed.value.code == "server_restarting"

    async def ended() -> bool:
        return await last_exit(servers, server) == "protocol_error"

    await wait_for(ended)


@pytest.mark.parametrize(
    ("excess", "expected"),
    [
        (("memory", 2300), (ExitReason.OUT_OF_MEMORY, "2300 MiB")),
        (("processes", 300), (ExitReason.TOO_MANY_PROCESSES, "300 processes")),
    ],
)
def test_the_message_says_how_much_the_server_used(excess: Any, expected: tuple[ExitReason, str]) -> None:
    found = diagnose(ExitInfo("node", "run", 5.0, signal=9, excess=excess, stderr="irrelevant"))
    assert (found.reason, expected[1] in found.message) == (expected[0], True)
    assert found.hint
