"""Ownership: one owner at a time, and another one soon after it dies."""

import asyncio
import logging
import os
import signal
from dataclasses import replace
from typing import Any

import psutil
import pytest
from django.utils import timezone

from connector.client import routes
from connector.errors import CallFailed
from connector.host import start_time
from connector.leases import store as leases
from connector.models import Instance, Worker
from connector.process import orphans
from tests.connector.conftest import FAST, orm, server_processes, wait_for, wait_for_workers
from tools import actions
from tools.models import Status


async def answers(caller: Any, server: Any) -> bool:
    try:
        await caller(server, "echo")
    except CallFailed:
        return False
    return True


async def test_two_supervisors_share_the_servers_and_never_own_one_twice(
    servers: Any, supervise: Any, tmp_path: Any
) -> None:
    supervise(node="one"), supervise(node="two")
    await wait_for_workers(2)
    log = tmp_path / "starts"
    registered = [
        await servers.register(name=f"server {number}", env={"FAKE_STARTS": str(log)}) for number in range(6)
    ]
    for server in registered:
        await servers.wait_until(server, Status.RUNNING)
    owners = [(await servers.instance(server)).worker.node for server in registered]
    assert sorted(owners) == ["one"] * 3 + ["two"] * 3
    assert len(log.read_text().split()) == 6


async def test_many_restarts_at_once_leave_one_process(servers: Any, supervise: Any, caller: Any) -> None:
    supervise(node="one"), supervise(node="two")
    server = await servers.running()
    await asyncio.gather(*(servers.act(actions.restart, server) for _ in range(10)))

    async def settled() -> bool:
        row, instance = await servers.row(server), await servers.instance(server)
        return bool(row.status == Status.RUNNING and instance.observed_generation == row.generation)

    await wait_for(settled)
    assert len([process for process in server_processes() if process.server == f"{server.pk}.0"]) == 1


async def test_a_killed_owner_takes_its_trees_with_it_and_another_takes_over(
    servers: Any, supervise: Any, owner_process: Any, caller: Any
) -> None:
    other = owner_process("mcp@other")
    server = await servers.running("daemon", "stubborn")
    assert (await servers.instance(server)).worker.node == "mcp@other"
    supervise(node="mcp@here")
    other.signal(signal.SIGKILL)
    await wait_for(lambda: answers(caller, server))
    instance = await servers.instance(server)
    assert (instance.worker.node, instance.fence) == ("mcp@here", 2)
    tree = [process for process in server_processes() if process.server == f"{server.pk}.0"]
    assert {process.owner for process in tree} == {instance.worker_id}


async def test_the_death_of_a_peer_is_noticed_before_the_next_poll(
    servers: Any, supervise: Any, owner_process: Any, caller: Any, caplog: pytest.LogCaptureFixture
) -> None:
    other = owner_process("mcp@other")
    server = await servers.running()
    supervise(node="mcp@here", timings=replace(FAST, lease=60, poll=60))
    await wait_for(orm(Worker.objects.filter(node="mcp@here").exists))
    other.signal(signal.SIGKILL)
    await wait_for(lambda: answers(caller, server))
    # Nobody has to do anything about it: whoever ran that worker says that it has ended.
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [warning for warning in warnings if "orker" in warning]


async def test_the_shims_of_a_frozen_owner_kill_before_its_lease_ends(
    servers: Any, supervise: Any, owner_process: Any, caller: Any
) -> None:
    other = owner_process("mcp@other")
    server = await servers.running()
    supervise(node="mcp@here")
    first = (await servers.instance(server)).worker_id
    call = asyncio.create_task(caller(server, "sleep", s=60, timeout_s=60))
    await asyncio.sleep(0.1)
    other.signal(signal.SIGSTOP)
    while (instance := await servers.instance(server)).fence == 1 or instance.worker_id is None:
        await asyncio.sleep(0.05)
    assert not [process for process in server_processes() if process.owner == first]
    await wait_for(lambda: answers(caller, server))
    with pytest.raises(CallFailed, match="moved to another worker"):
        await asyncio.wait_for(call, 20)
    other.signal(signal.SIGCONT)
    await asyncio.sleep(1)
    assert {process.owner for process in server_processes()} == {instance.worker_id}
    assert await answers(caller, server)


async def test_a_terminated_owner_hands_over(
    servers: Any, supervise: Any, owner_process: Any, caller: Any
) -> None:
    other = owner_process("mcp@other")
    server = await servers.running()
    supervise(node="mcp@here")
    other.signal(signal.SIGTERM)
    assert await asyncio.to_thread(other.process.wait, 30) == 0
    await wait_for(lambda: answers(caller, server))
    assert not await orm(Worker.objects.filter(node="mcp@other").exists)()


async def test_a_server_is_soon_back_after_its_shim_was_killed(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running("daemon")
    pid = (await servers.instance(server)).pid
    shim = psutil.Process(pid).parent()
    shim.kill()
    await wait_for(lambda: start_time(pid) is None, within_s=15)

    async def back() -> bool:
        return bool((await servers.instance(server)).pid not in (pid, None) and await answers(caller, server))

    await wait_for(back)


async def test_orphans_of_a_dead_owner_are_killed(supervise: Any, servers: Any) -> None:
    gone = "999999999-1-abcdef01"
    orphan = psutil.Popen(["sleep", "60"], env={**os.environ, "MCPC_ID": f"{gone}/7.0"})
    supervise()
    assert await asyncio.to_thread(orphan.wait, 20) == -signal.SIGKILL


async def test_processes_of_a_living_owner_are_not_killed() -> None:
    alive = psutil.Popen(["sleep", "60"], env={**os.environ, "MCPC_ID": f"{orphans.new_owner_name()}/7.0"})
    try:
        orphans.kill_orphans()
        await asyncio.sleep(0.1)
        assert alive.poll() is None
    finally:
        alive.kill()
        alive.wait()


async def test_a_call_with_a_stale_fence_is_routed_again(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any
) -> None:
    """The caller knows a route from before the last claim."""
    supervise()
    server = await servers.running()
    (route,) = await routes.find(server.pk)
    answers = [(routes.Route(route.server_id, 0, route.fence - 1, route.host_id, route.socket, ""),)]
    real = routes.find

    async def outdated_once(server_id: int) -> Any:
        return answers.pop() if answers else await real(server_id)

    monkeypatch.setattr(routes, "find", outdated_once)
    assert (await caller(server, "echo")).content[0]["text"] == "{}"


async def test_an_owner_without_the_database_kills_its_servers_in_time(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any
) -> None:
    supervise()
    server = await servers.running()

    async def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no database")

    monkeypatch.setattr(leases.Database, "fetch", refuse)
    await wait_for(lambda: not server_processes(), within_s=FAST.lease)
    instance = await servers.instance(server)
    assert instance.expires_at > timezone.now()
    monkeypatch.undo()
    await wait_for(lambda: answers(caller, server))
    assert await orm(Instance.objects.filter(server=server).count)() == 1
