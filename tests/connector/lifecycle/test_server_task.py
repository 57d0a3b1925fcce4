"""Starting, stopping, editing and restarting a server: the worker does what the database says."""

import asyncio
import json
import sys
from typing import Any

import pytest

from connector.errors import CallFailed
from connector.states import Phase
from tests.connector.conftest import wait_for
from tools import actions
from tools.models import MCPTool, Status, ToolFunction


async def pid_of(caller: Any, server: MCPTool) -> str:
    return str((await caller(server, "pid")).content[0]["text"])


async def test_a_registered_server_runs_and_answers(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    result = await caller(server, "echo", word="hello", nothing=None)
    assert result.content == [{"type": "text", "text": '{"word": "hello", "nothing": null}'}]
    assert not result.is_error


async def test_the_tools_are_recorded_before_the_server_counts_as_running(
    servers: Any, supervise: Any
) -> None:
    supervise()
    server = await servers.running()
    names = [name async for name in ToolFunction.objects.filter(server=server).values_list("name", flat=True)]
    assert {"echo", "sleep"} <= set(names)


async def test_the_observation_is_published(servers: Any, supervise: Any) -> None:
    supervise(node="mcp@here")
    instance = await servers.instance(await servers.running())
    assert (instance.phase, instance.worker.node, instance.fence) == (Phase.READY, "mcp@here", 1)
    assert instance.pid > 0
    assert instance.protocol_version == "2025-06-18"
    assert instance.started_at <= instance.checked_at
    assert instance.last_healthy_at is not None


async def test_a_stopped_server_ends_and_refuses_calls(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    await servers.act(actions.stop, server)
    await servers.wait_until(server, Status.STOPPED)
    instance = await servers.instance(server)
    assert (instance.phase, instance.worker, instance.pid) == (Phase.RELEASED, None, None)
    with pytest.raises(CallFailed, match="stopped") as failed:
        await caller(server, "echo")
    assert failed.value.code == "server_unavailable"


async def test_a_stopped_server_starts_again(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.register(is_enabled=False)
    assert (await servers.row(server)).status == Status.STOPPED
    await servers.act(actions.start, server)
    await servers.wait_until(server, Status.RUNNING)
    assert await pid_of(caller, server)


async def test_a_restart_makes_a_new_process(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    before = await pid_of(caller, server)
    await servers.act(actions.restart, server)

    async def observed() -> bool:
        instance, row = await servers.instance(server), await servers.row(server)
        return bool(instance.observed_generation == row.generation and row.status == Status.RUNNING)

    await wait_for(observed)
    assert await pid_of(caller, server) != before


async def test_an_edit_takes_effect(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    await servers.act(actions.update, server, env={"COLOUR": "blue"})

    async def is_blue() -> bool:
        try:
            return '"COLOUR": "blue"' in (await caller(server, "environment")).content[0]["text"]
        except CallFailed:
            return False

    await wait_for(is_blue)


async def test_a_deleted_server_ends(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.running()
    await servers.act(actions.delete, server)
    await servers.wait_until(server, Status.STOPPED)


async def test_replicas_run_side_by_side(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running(replicas=2)
    pids = {await pid_of(caller, server) for _ in range(20)}
    assert len(pids) == 2


async def test_a_draining_supervisor_lets_a_call_finish(servers: Any, supervise: Any, caller: Any) -> None:
    supervisor = supervise()
    server = await servers.running()
    call = asyncio.create_task(caller(server, "sleep", s=0.4))
    await asyncio.sleep(0.1)
    supervisor.begin_drain()
    assert (await call).content[0]["text"] == "slept"
    await wait_for(lambda: not supervisor._thread.is_alive())
    assert (await servers.instance(server)).worker is None


async def test_a_server_gets_only_its_own_environment(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CANARY", "secret")
    supervise()
    server = await servers.running(env={"COLOUR": "blue"})
    environment = json.loads((await caller(server, "environment")).content[0]["text"])
    assert environment["COLOUR"] == "blue"
    assert environment["PATH"].startswith(str(sys.prefix))
    assert set(environment) <= {"PATH", "HOME", "LANG", "COLOUR", "MCPC_ID", "LC_CTYPE"}
