"""A real Celery worker that is told to end in every way, hangs, goes deaf or loses its broker."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from config.celery import app
from config.runner import redis
from config.runner.processes import Running
from connector import health
from connector.host import start_time
from connector.watchdog import EXIT_CODE
from tests.connector.conftest import OURS, ROOT, environment, of_ours, orm, wait_for
from tools.models import MCPTool, Status

NODE = "mcp@faults"
CELERY = str(Path(sys.executable).with_name("celery"))  # by `-m` it could not start itself anew
COMMAND = [CELERY, "-A", "config", "worker", "-P", "threads", "-c", "2", "-Q", "mcp"]
TIMES = {"SUPERVISOR_LEASE_S": "6", "SUPERVISOR_HEARTBEAT_S": "1", "SUPERVISOR_DRAIN_S": "1"}
Worker = subprocess.Popen[bytes]


@pytest.fixture
def celery_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []
    log_path = tmp_path / "worker.log"

    def start(**settings: str) -> Worker:
        command = [*COMMAND, "-n", NODE, "--include", "tests.connector.sabotage"]
        with log_path.open("ab") as log:
            started.append(
                subprocess.Popen(
                    command, env={**environment(), **TIMES, **settings}, cwd=ROOT, stdout=log, stderr=log
                )
            )
        OURS.add(started[-1].pid)
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait()
    sys.stderr.write(log_path.read_text())


async def owned(servers: Any, *switches: str) -> tuple[MCPTool, int]:
    """A server that the worker runs, and its process id."""
    server = await servers.register(*switches)
    await servers.wait_until(server, Status.RUNNING, within_s=20)
    return server, (await servers.instance(server)).pid


async def exit_code(worker: Worker, *, within_s: float) -> int:
    return await asyncio.to_thread(worker.wait, within_s)


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
async def test_no_way_to_end_leaves_an_orphan(
    servers: Any, celery_worker: Any, end: Callable[[Worker], None]
) -> None:
    worker = celery_worker()
    await owned(servers, "daemon", "stubborn")
    await asyncio.to_thread(end, worker)
    await exit_code(worker, within_s=12)
    await wait_for(lambda: not of_ours(), within_s=2)


async def test_a_worker_restarted_by_sighup_starts_its_servers_anew(servers: Any, celery_worker: Any) -> None:
    """The process stays the same: whatever it left behind would pass for its own."""
    worker = celery_worker()
    server, pid = await owned(servers, "daemon", "stubborn")
    before = {process.pid for process in of_ours()}
    worker.send_signal(signal.SIGHUP)
    await wait_for(lambda: start_time(pid) is None, within_s=12)

    async def back() -> bool:
        instance = await servers.instance(server)
        return bool(instance.worker_id and instance.pid not in (pid, None))

    await wait_for(back, within_s=20)
    assert worker.poll() is None
    assert not before & {process.pid for process in of_ours()}
    assert len({process.owner for process in of_ours()}) == 1


@pytest.mark.parametrize(
    ("sabotage", "stall_s"),
    [(["block_the_loop", 60], "2"), (["end_the_loop"], "60")],
    ids=["blocked", "ended"],
)
async def test_a_worker_whose_loop_does_not_turn_ends_and_its_guards_do_the_rest(
    servers: Any, celery_worker: Any, sabotage: list[Any], stall_s: str
) -> None:
    worker = celery_worker(SUPERVISOR_STALL_S=stall_s)
    await owned(servers, "daemon", "stubborn")
    task, *arguments = sabotage
    app.send_task(f"tests.connector.sabotage.{task}", arguments, queue="mcp")
    assert await exit_code(worker, within_s=8) == EXIT_CODE
    await wait_for(lambda: not of_ours(), within_s=2)


async def test_a_frozen_worker_does_not_take_its_sleep_for_a_stall(servers: Any, celery_worker: Any) -> None:
    worker = celery_worker(SUPERVISOR_STALL_S="2", SUPERVISOR_LEASE_S="30")
    _, pid = await owned(servers)
    worker.send_signal(signal.SIGSTOP)
    await asyncio.sleep(5)
    worker.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    assert worker.poll() is None
    assert start_time(pid) is not None


async def test_a_worker_that_hears_nothing_lets_its_servers_go_and_ends(
    servers: Any, celery_worker: Any
) -> None:
    worker = celery_worker(SUPERVISOR_ECHO_S="3")
    server, _ = await owned(servers)
    await asyncio.sleep(4)
    assert worker.poll() is None
    app.control.cancel_consumer(f"mcp.{NODE}", destination=[NODE])
    assert await exit_code(worker, within_s=12) == EXIT_CODE
    assert (await servers.instance(server)).worker is None
    assert not of_ours()
    assert await health.workers_alive() == []


@pytest.fixture
def broker(tmp_path: Path) -> Iterator["Broker"]:
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.stop()


class Broker:
    """A Redis of one's own, to be killed and frozen."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._service = redis.service(folder)
        self._log = folder / "redis.log"
        self.environment = dict(self._service.environment)
        self.start()

    def start(self) -> None:
        self._running = Running(self._service.program(), self._log)
        self._running.wait_until(self._service.is_ready, timeout_s=10)

    def signal(self, number: int) -> None:
        os.kill(self._running.popen.pid, number)

    def stop(self) -> None:
        self._running.popen.kill()
        self._running.popen.wait()

    def send(self, task: str, *arguments: Any) -> None:
        with Celery(broker=self.environment["REDIS_URL"]) as sender:
            sender.send_task(task, arguments, queue="mcp")


async def test_a_dead_broker_changes_nothing(
    servers: Any, celery_worker: Any, broker: Broker, caller: Any
) -> None:
    worker = celery_worker(SUPERVISOR_ECHO_S="2", SUPERVISOR_POLL_S="60", **broker.environment)
    server, pid = await owned(servers)
    await asyncio.to_thread(broker.stop)
    await asyncio.sleep(6)
    await asyncio.to_thread(broker.start)
    await orm(broker.send)("connector.tasks.restart", server.pk)

    async def restarted() -> bool:
        assert worker.poll() is None
        return bool((await servers.instance(server)).pid not in (pid, None))

    assert (await servers.instance(server)).pid == pid
    assert (await caller(server, "echo")).content
    await wait_for(restarted, within_s=20)


async def test_a_frozen_broker_changes_nothing(servers: Any, celery_worker: Any, broker: Broker) -> None:
    worker = celery_worker(SUPERVISOR_ECHO_S="2", **broker.environment)
    server, pid = await owned(servers)
    broker.signal(signal.SIGSTOP)
    await asyncio.sleep(6)
    broker.signal(signal.SIGCONT)
    await asyncio.sleep(4)
    assert worker.poll() is None
    assert (await servers.instance(server)).pid == pid
