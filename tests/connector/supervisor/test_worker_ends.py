"""The end of a real Celery worker: in every way, at any time, with any service away."""

import asyncio
import re
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from config.celery import app
from connector.host import start_time
from connector.models import Instance
from connector.status import workers
from tests.connector.conftest import orm, server_processes, wait_for
from tests.connector.processes import LEASE_S, NODE, Broker, Worker, database_server, exit_code, frozen


def shut_down(worker: Worker) -> None:
    while not app.control.ping(destination=[NODE], timeout=0.5):
        assert worker.poll() is None
    app.control.shutdown(destination=[NODE])


def interrupt_twice(worker: Worker) -> None:
    worker.send_signal(signal.SIGINT)
    time.sleep(0.3)
    worker.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda worker: worker.send_signal(signal.SIGQUIT), id="SIGQUIT"),
        pytest.param(interrupt_twice, id="SIGINT twice"),
        pytest.param(shut_down, id="celery control shutdown"),
        pytest.param(lambda worker: worker.kill(), id="SIGKILL"),
    ],
)
async def test_a_worker_leaves_no_orphan_however_it_ends(
    servers: Any, celery_worker: Any, end: Callable[[Worker], None]
) -> None:
    worker = celery_worker()
    await servers.owned("daemon", "stubborn")
    await asyncio.to_thread(end, worker)
    await exit_code(worker, within_s=30)
    await wait_for(lambda: not server_processes(), within_s=LEASE_S - 1)


async def test_a_worker_restarted_by_sighup_restarts_its_servers(servers: Any, celery_worker: Any) -> None:
    """The process id stays the same: a process that it left behind would pass for its own."""
    worker = celery_worker()
    server, pid = await servers.owned("daemon", "stubborn")
    before = {process.pid for process in server_processes()}
    worker.send_signal(signal.SIGHUP)
    await wait_for(lambda: start_time(pid) is None)

    async def back() -> bool:
        instance = await servers.instance(server)
        return bool(instance.worker_id and instance.pid not in (pid, None))

    await wait_for(back, within_s=45)
    assert worker.poll() is None
    assert not before & {process.pid for process in server_processes()}
    assert len({process.owner for process in server_processes()}) == 1


def catches_sigterm(worker: Worker) -> bool:
    (caught,) = re.findall(r"SigCgt:\t(\w+)", Path(f"/proc/{worker.pid}/status").read_text())
    return bool(int(caught, 16) >> signal.SIGTERM - 1 & 1)


async def test_sigterm_ends_a_worker_that_is_still_loading(celery_worker: Any) -> None:
    worker = celery_worker()
    await wait_for(lambda: catches_sigterm(worker))
    assert NODE not in celery_worker.log.read_text()
    worker.terminate()
    assert await exit_code(worker, within_s=20) == 0


async def test_sigterm_during_the_start_leaves_no_lease_and_no_process(
    servers: Any, celery_worker: Any
) -> None:
    server = await servers.register()
    worker = celery_worker()
    await wait_for(lambda: f"mcp.{NODE}" in celery_worker.log.read_text())
    worker.terminate()
    assert await exit_code(worker, within_s=30) == 0
    assert not server_processes()
    assert await workers.workers_alive() == []
    assert not await orm(Instance.objects.filter(server=server, worker__isnull=False).exists)()


async def test_a_worker_lets_a_call_finish_however_often_it_gets_sigterm(
    servers: Any, celery_worker: Any, caller: Any
) -> None:
    worker = celery_worker(SUPERVISOR_DRAIN_S="8")
    server, _ = await servers.owned()
    call = asyncio.create_task(caller(server, "sleep", s=2, timeout_s=10))
    await asyncio.sleep(0.5)
    while worker.poll() is None:
        worker.terminate()
        await asyncio.sleep(0.02)
    assert worker.returncode == 0
    assert (await call).content[0]["text"] == "slept"


@pytest.mark.parametrize("away", [{"broker"}, {"database"}, {"broker", "database"}], ids=" and ".join)
async def test_a_worker_ends_in_time_although_no_service_answers(
    servers: Any, celery_worker: Any, broker: Broker, away: set[str]
) -> None:
    worker = celery_worker(**broker.environment)
    await servers.owned("daemon", "stubborn")
    services = {"broker": broker.process, "database": await orm(database_server)()}
    with ExitStack() as frozen_ones:
        for name in away:
            frozen_ones.enter_context(frozen(services[name]))
        worker.terminate()
        assert await exit_code(worker, within_s=20) == 0
        assert not server_processes()
    assert "Traceback" not in celery_worker.log.read_text()
