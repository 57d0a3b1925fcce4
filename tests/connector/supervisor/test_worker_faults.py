"""A real Celery worker that hangs, consumes nothing or loses its broker."""

import asyncio
import signal
from typing import Any

import pytest

from config.celery import app
from connector.host import start_time
from connector.status import workers
from connector.supervisor.watchdog import EXIT_CODE
from tests.connector.conftest import orm, server_processes, wait_for
from tests.connector.processes import LEASE_S, NODE, Broker, exit_code, frozen


@pytest.mark.parametrize(
    ("sabotage", "stall_s"),
    [(["block_the_loop", 60], "2"), (["end_the_loop"], "60")],
    ids=["blocked", "ended"],
)
async def test_a_worker_whose_loop_hangs_ends_and_its_shims_kill_its_servers(
    servers: Any, celery_worker: Any, sabotage: list[Any], stall_s: str
) -> None:
    worker = celery_worker(SUPERVISOR_STALL_S=stall_s)
    await servers.owned("daemon", "stubborn")
    task, *arguments = sabotage
    app.send_task(f"tests.connector.sabotage.{task}", arguments, queue="mcp")
    assert await exit_code(worker, within_s=30) == EXIT_CODE
    await wait_for(lambda: not server_processes(), within_s=LEASE_S - 1)


async def test_a_frozen_worker_does_not_take_its_pause_for_a_stall(servers: Any, celery_worker: Any) -> None:
    worker = celery_worker(SUPERVISOR_STALL_S="2", SUPERVISOR_LEASE_S="30")
    _, pid = await servers.owned()
    worker.send_signal(signal.SIGSTOP)
    await asyncio.sleep(5)
    worker.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    assert worker.poll() is None
    assert start_time(pid) is not None


async def test_a_worker_that_consumes_nothing_releases_its_servers_and_ends(
    servers: Any, celery_worker: Any
) -> None:
    worker = celery_worker(SUPERVISOR_ECHO_S="3")
    server, _ = await servers.owned()
    await asyncio.sleep(4)
    assert worker.poll() is None
    app.control.cancel_consumer(f"mcp.{NODE}", destination=[NODE])
    assert await exit_code(worker, within_s=30) == EXIT_CODE
    assert (await servers.instance(server)).worker is None
    assert not server_processes()
    assert await workers.workers_alive() == []


async def test_a_dead_broker_changes_nothing(
    servers: Any, celery_worker: Any, broker: Broker, caller: Any
) -> None:
    worker = celery_worker(SUPERVISOR_ECHO_S="2", SUPERVISOR_POLL_S="60", **broker.environment)
    server, pid = await servers.owned()
    await asyncio.to_thread(broker.stop)
    await asyncio.sleep(6)
    await asyncio.to_thread(broker.start)
    await orm(broker.send)("connector.tasks.restart", server.pk)

    async def restarted() -> bool:
        assert worker.poll() is None
        return bool((await servers.instance(server)).pid not in (pid, None))

    assert (await servers.instance(server)).pid == pid
    assert (await caller(server, "echo")).content
    await wait_for(restarted)


async def test_a_frozen_broker_changes_nothing(servers: Any, celery_worker: Any, broker: Broker) -> None:
    worker = celery_worker(SUPERVISOR_ECHO_S="2", **broker.environment)
    server, pid = await servers.owned()
    with frozen(broker.process):
        await asyncio.sleep(6)
    await asyncio.sleep(4)
    assert worker.poll() is None
    assert (await servers.instance(server)).pid == pid
