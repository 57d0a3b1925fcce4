"""Commands: their arguments, their failures, and how many run at once."""

import asyncio
import struct
from pathlib import Path
from typing import Any

import psutil
import pytest

from connector.lifecycle import starting
from tests.connector.conftest import SERVERS, server_processes, wait_for, wait_for_workers
from tools.models import Status

HOSTILE = ["; id", "$(id)", "`id`", "*", "~", "-c", "--", "a\nb", "\\", "'\"", "$PATH", "| tee /tmp/x"]
FOREIGN_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 0xF7, 1) + bytes(100)


async def test_arguments_reach_the_server_unchanged(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.running(*HOSTILE)
    started = psutil.Process((await servers.instance(server)).pid).cmdline()
    assert started[1:] == [str(SERVERS / "fake.py"), *HOSTILE]


@pytest.mark.parametrize(
    "case",
    [
        (b"#!/bin/sh\n", 0o600, "Permission denied"),
        (b"no program at all\n", 0o700, "Exec format error"),
        (FOREIGN_ELF, 0o700, "Exec format error"),
        (b"#!/nonexistent/interpreter\n", 0o700, "No such file or directory"),
    ],
    ids=["not executable", "text without an interpreter", "another architecture", "no interpreter"],
)
async def test_a_command_that_cannot_be_executed_fails_at_once_with_a_reason(
    servers: Any, supervise: Any, settings: Any, tmp_path: Path, case: tuple[bytes, int, str]
) -> None:
    content, mode, reason = case
    command = tmp_path / "server"
    command.write_bytes(content)
    command.chmod(mode)
    settings.MCP_ALLOWED_COMMANDS = [str(command)]
    supervise()
    server = await servers.register(command=str(command), args=[])
    row = await servers.wait_until(server, Status.ERROR)
    assert reason in row.error_message


async def test_a_server_that_exits_with_code_0_has_failed(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.register(args=["-c", "pass"])
    await servers.wait_until(server, Status.ERROR)
    assert (await servers.instance(server)).last_exit["code"] == 0


async def test_at_most_eight_servers_start_at_once(
    servers: Any, supervise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Starting eight processes may take a busy machine so long that the first would give way.
    monkeypatch.setattr(starting, "GIVE_WAY_S", 600)
    for number in range(13):
        await servers.register("mute", name=f"mute {number}", start_timeout_s=300)
    supervise()
    await wait_for(lambda: len(starting_servers()) == starting.SLOTS)
    for _ in range(20):
        await asyncio.sleep(0.05)
        assert len(starting_servers()) <= starting.SLOTS


def starting_servers() -> set[str]:
    """Not their processes: the one between a fork and its command counts as one more."""
    return {process.server for process in server_processes()}


async def test_two_workers_of_one_name_are_two_owners(servers: Any, supervise: Any) -> None:
    supervise(node="mcp@same"), supervise(node="mcp@same")
    await wait_for_workers(2)
    registered = [await servers.register(name=f"server {number}") for number in range(4)]
    for server in registered:
        await servers.wait_until(server, Status.RUNNING)
    owners = [(await servers.instance(server)).worker_id for server in registered]
    assert sorted(map(owners.count, set(owners))) == [2, 2]
