"""A real Celery worker with its supervisor, and the tasks that reach it over a real Redis."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from connector import tasks
from connector.status import workers
from tests.connector.conftest import FAST, orm, server_processes, wait_for
from tests.connector.processes import OWNER_PIDS, ROOT, environment
from tools.models import MCPTool, Status

CELERY = [sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "threads", "-c", "2"]
TIMES = {"SUPERVISOR_LEASE_S": "6", "SUPERVISOR_HEARTBEAT_S": "1", "SUPERVISOR_POLL_S": "60"}


@pytest.fixture
def worker(transactional_db: None, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a worker whose poll is so slow that only messages explain what it does soon."""
    command = [*CELERY, "-Q", "mcp", "-n", "mcp@celery"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env={**environment(), **TIMES}, cwd=ROOT, stdout=log, stderr=log)
    OWNER_PIDS.add(process.pid)
    yield process
    process.kill()
    process.wait()
    sys.stderr.write((tmp_path / "worker.log").read_text())


async def test_a_worker_owns_servers_obeys_tasks_and_ends_in_time(
    servers: Any, worker: Any, caller: Any
) -> None:
    server = await servers.register()
    await servers.wait_until(server, Status.RUNNING, within_s=60)
    assert await workers.workers_alive() == ["mcp@celery"]
    assert (await caller(server, "echo")).content
    await orm(tasks.stop.delay)(server.pk)
    await servers.wait_until(server, Status.STOPPED)
    await orm(tasks.start.delay)(server.pk)
    await servers.wait_until(server, Status.RUNNING)
    before = (await servers.instance(server)).pid
    await orm(tasks.restart.delay)(server.pk)

    async def restarted() -> bool:
        return bool((await servers.instance(server)).pid not in (before, None))

    await wait_for(restarted)
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0
    assert not server_processes()
    assert await workers.workers_alive() == []


async def test_the_task_check_reports_servers_without_a_worker(servers: Any) -> None:
    server = await servers.register()
    await orm(tasks.check)()
    row = await servers.row(server)
    assert (row.status, row.error["class"]) == (Status.STARTING, "no_worker")


async def test_a_server_that_a_worker_had_is_failed_when_there_is_none(servers: Any, supervise: Any) -> None:
    supervisor = supervise()
    server = await servers.running()
    await asyncio.to_thread(supervisor.stop)
    await orm(MCPTool.objects.filter(pk=server.pk).update)(status=Status.RUNNING)
    await orm(tasks.check)()
    row = await servers.row(server)
    assert (row.status, row.error["class"]) == (Status.ERROR, "no_worker")
    assert "No MCP worker is running" in row.error_message


async def test_a_server_without_a_worker_runs_once_there_is_one(servers: Any, supervise: Any) -> None:
    server = await servers.register()
    await orm(tasks.check)()
    supervise()
    assert (await servers.wait_until(server, Status.RUNNING)).error is None


async def test_the_task_check_has_servers_checked_whose_check_is_old(servers: Any, supervise: Any) -> None:
    supervise(timings=replace(FAST, health=1.0))
    server = await servers.running()
    first = (await servers.instance(server)).checked_at
    await orm(tasks.check)()

    async def checked() -> bool:
        return bool((await servers.instance(server)).checked_at > first)

    await wait_for(checked)


async def test_the_task_reconcile_makes_supervisors_compare_before_their_poll(
    servers: Any, supervise: Any
) -> None:
    supervise(timings=replace(FAST, poll=60))
    # Longer than a poll: nothing is notified before the supervisor listens.
    server = await servers.wait_until(await servers.register(), Status.RUNNING, within_s=75)
    await wait_for(orm(MCPTool.objects.exclude(announced={}).exists))  # which is notified, too
    await orm(_stop_without_a_notification)(server.pk)
    await orm(tasks.reconcile)()
    await servers.wait_until(server, Status.STOPPED, within_s=45)  # less than a poll


def _stop_without_a_notification(server_id: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # switches the triggers off
        MCPTool.objects.filter(pk=server_id).update(is_enabled=False)
