"""Starts that take their time: package runners that install first, and slots that slow starts give back."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from connector.lifecycle import starting
from tests.connector.conftest import SERVERS, wait_for
from tools.models import MCPTool, Status


@pytest.fixture
def npx(tmp_path: Path, settings: Any, monkeypatch: Any) -> Path:
    """A command called npx: it works alone for some seconds, as npx does while it installs."""
    path = tmp_path / "npx"
    path.write_text(
        "#!/usr/bin/env python3\n"
        "import subprocess, sys, time\n"
        "print('npm http fetch GET 200 chromadb', file=sys.stderr, flush=True)\n"
        "time.sleep(float(sys.argv[1]))\n"
        f"sys.exit(subprocess.call([sys.executable, {str(SERVERS / 'fake.py')!r}]))\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    settings.MCP_ALLOWED_COMMANDS = [*settings.MCP_ALLOWED_COMMANDS, str(path)]
    monkeypatch.setattr(starting, "INSTALL_POLL_S", 0.1)
    return path


def errors(server: MCPTool, servers: Any, name: str) -> Any:
    async def found() -> dict[str, Any] | None:
        row: MCPTool = await servers.row(server)
        return row.error if row.error and row.error["class"] == name else None

    return found


async def test_the_start_timeout_begins_when_the_runner_has_installed_the_server(
    servers: Any, supervise: Any, npx: Path
) -> None:
    supervise()
    server = await servers.register(command=str(npx), args=["4"], start_timeout_s=2)

    async def last_line() -> bool:
        error = await errors(server, servers, "installing")()
        return error is not None and "chromadb" in error["message"]

    await wait_for(last_line)
    assert (await servers.row(server)).status == Status.STARTING
    row = await servers.wait_until(server, Status.RUNNING, within_s=15)
    assert (row.error, (await servers.instance(server)).restarts) == (None, 0)


async def test_an_installation_has_an_end(servers: Any, supervise: Any, npx: Path, settings: Any) -> None:
    settings.MCP_INSTALL_TIMEOUT = 2
    supervise()
    server = await servers.register(command=str(npx), args=["60"], start_timeout_s=1)
    error = await wait_for(errors(server, servers, "start_timeout"), within_s=15)
    assert "did not install the server within 2 s" in error["message"]


async def test_slow_starts_give_way_and_remote_servers_need_no_slot(
    servers: Any, supervise: Any, start_remote: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(starting, "GIVE_WAY_S", 5.0)
    supervise()
    for number in range(starting.SLOTS):
        await servers.register("mute", name=f"slow {number}", start_timeout_s=60)
    await asyncio.sleep(1)  # they have their slots
    remote = await servers.register(
        name="remote", connection_type="streamable_http", url=start_remote("web.py").url
    )
    quick = await servers.register(name="quick")
    error = await wait_for(errors(quick, servers, "waiting"))
    assert "waits for its turn" in error["message"]
    await servers.wait_until(remote, Status.RUNNING, within_s=3)
    row = await servers.wait_until(quick, Status.RUNNING, within_s=15)
    assert row.error is None
