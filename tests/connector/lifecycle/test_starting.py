"""Starts that take their time: package runners that install first, and slots that slow starts give back."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from connector.client import connection_tests
from connector.lifecycle import starting
from tests.connector.conftest import SERVERS, wait_for
from tools.launch import LaunchSpec, launch_spec
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
    starting = await servers.row(server)
    assert starting.status == Status.STARTING
    assert "it may be installing it" in starting.error["message"]
    row = await servers.wait_until(server, Status.RUNNING, within_s=45)
    assert (row.error, (await servers.instance(server)).restarts) == (None, 0)


async def test_an_installation_has_an_end(servers: Any, supervise: Any, npx: Path, settings: Any) -> None:
    settings.MCP_INSTALL_TIMEOUT = 2
    supervise()
    server = await servers.register(command=str(npx), args=["60"], start_timeout_s=1)
    error = await wait_for(errors(server, servers, "start_timeout"), within_s=45)
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
    await servers.wait_until(remote, Status.RUNNING, within_s=30)
    row = await servers.wait_until(quick, Status.RUNNING, within_s=45)
    assert row.error is None


async def test_a_connection_test_waits_for_an_installation_as_a_start_does(
    servers: Any, supervise: Any, npx: Path
) -> None:
    supervise()
    await wait_for(connection_tests.workers.alive)
    found = await connection_tests.run(unsaved(npx, "4", start_timeout_s=2))
    assert found.error is None
    assert found.tools


async def test_a_connection_test_says_what_the_installation_said_last(
    servers: Any, supervise: Any, npx: Path, settings: Any
) -> None:
    settings.MCP_INSTALL_TIMEOUT = 2
    supervise()
    await wait_for(connection_tests.workers.alive)
    found = await connection_tests.run(unsaved(npx, "60", start_timeout_s=1))
    assert found.error is not None
    assert "did not install the server within 2 s. npm http fetch GET 200 chromadb" in found.error["message"]


def unsaved(npx: Path, seconds: str, *, start_timeout_s: float) -> LaunchSpec:
    given = {"connection_type": "stdio", "command": str(npx), "args": [seconds]}
    return launch_spec(MCPTool(slug="unsaved", start_timeout_s=start_timeout_s, **given))


@pytest.fixture
def broken(tmp_path: Path, settings: Any) -> tuple[Path, Path]:
    """A command called npx and the folder of its cache: while that exists, it cannot start the server."""
    folder = tmp_path / "cache" / "_npx" / "6ddf87659f2ad8a4"
    (folder / "node_modules").mkdir(parents=True)
    path = tmp_path / "npx"
    path.write_text(
        "#!/usr/bin/env python3\n"
        "import pathlib, subprocess, sys\n"
        f"folder = {str(folder)!r}\n"
        "if pathlib.Path(folder).exists():\n"
        "    missing = repr(folder + '/node_modules/zod/a.js')\n"
        "    print('Error [ERR_MODULE_NOT_FOUND]: Cannot find package ' + missing, file=sys.stderr)\n"
        "    sys.exit(1)\n"
        f"sys.exit(subprocess.call([sys.executable, {str(SERVERS / 'fake.py')!r}]))\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    settings.MCP_ALLOWED_COMMANDS = [*settings.MCP_ALLOWED_COMMANDS, str(path)]
    return path, folder


async def test_a_broken_folder_of_npx_is_removed_and_the_server_starts(
    servers: Any, supervise: Any, broken: tuple[Path, Path], tmp_path: Path
) -> None:
    supervise()
    npx, folder = broken
    env = {"npm_config_cache": str(tmp_path / "cache")}
    server = await servers.register(command=str(npx), args=[], env=env)
    await servers.wait_until(server, Status.RUNNING, within_s=30)
    assert not folder.exists()
    last_exit = (await servers.instance(server)).last_exit
    assert last_exit["class"] == "repaired_cache"


async def test_a_connection_test_removes_a_broken_folder_of_npx_and_tries_again(
    supervise: Any, broken: tuple[Path, Path], tmp_path: Path
) -> None:
    supervise()
    npx, folder = broken
    env = {"npm_config_cache": str(tmp_path / "cache")}
    row = MCPTool(slug="unsaved", connection_type="stdio", command=str(npx), args=[], env=env)
    await wait_for(connection_tests.workers.alive)
    found = await connection_tests.run(launch_spec(row))
    assert (found.error, folder.exists()) == (None, False)
    assert found.tools


async def test_a_folder_of_another_cache_is_left_alone(
    servers: Any, supervise: Any, broken: tuple[Path, Path]
) -> None:
    supervise()
    npx, folder = broken
    server = await servers.register(command=str(npx), args=[])
    error = await wait_for(errors(server, servers, "broken_cache"), within_s=30)
    assert str(folder) in error["message"]
    assert folder.exists()
