"""Processes of the product that tests start, kill, freeze and end."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from celery import Celery
from django.db import connection, connections

from config.runner import redis
from config.runner.processes import Running
from connector.process import orphans

ROOT = Path(__file__).resolve().parent.parent.parent
NODE = "mcp@faults"
CELERY = str(Path(sys.executable).with_name("celery"))  # by `-m` it could not start itself anew
COMMAND = [CELERY, "-A", "config", "worker", "-P", "threads", "-c", "2"]
LEASE_S = 6
"""For this long, what only a lease protects outlives its owner."""
TIMES = {"SUPERVISOR_LEASE_S": str(LEASE_S), "SUPERVISOR_HEARTBEAT_S": "1", "SUPERVISOR_DRAIN_S": "1"}
Worker = subprocess.Popen[bytes]

OWNER_PIDS = {os.getpid()}
"""The process ids of this run's owners: others may run on the machine."""


def server_processes() -> list[orphans.MarkedProcess]:
    """Returns the processes of MCP servers that belong to this run."""
    return [
        process
        for process in orphans.marked_processes()
        if int(process.owner.partition("-")[0]) in OWNER_PIDS
    ]


def environment() -> dict[str, str]:
    """Returns the environment for another process of the product, on the same test database."""
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    url = f"{base.rpartition('/')[0]}/{connections['default'].settings_dict['NAME']}?{query}"
    return {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"}


class OwnerProcess:
    """A supervisor that can be killed or frozen."""

    def __init__(self, node: str) -> None:
        command = [sys.executable, "-m", "tests.connector.owner", node]
        self.process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, cwd=ROOT)
        OWNER_PIDS.add(self.process.pid)

    def wait_until_up(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"up\n"

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        self.process.kill()
        self.process.communicate()
        return self.process.returncode


async def exit_code(worker: Worker, *, within_s: float) -> int:
    return await asyncio.to_thread(worker.wait, within_s)


class CeleryWorkers:
    """Called with settings, it starts a worker called `node` that knows `tests.connector.sabotage`.

    `by` is the beginning of a command that becomes the worker.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self._started: list[Worker] = []

    def __call__(
        self, *, by: Sequence[str] = (), node: str = NODE, queues: str = "mcp", **settings: str
    ) -> Worker:
        command = [*by, *COMMAND, "-Q", queues, "-n", node, "--include", "tests.connector.sabotage"]
        values = {**environment(), **TIMES, **settings}
        with self.log.open("ab") as log:
            self._started.append(subprocess.Popen(command, env=values, cwd=ROOT, stdout=log, stderr=log))
        OWNER_PIDS.add(self._started[-1].pid)
        return self._started[-1]

    def end(self) -> None:
        for worker in self._started:
            worker.kill()
            worker.wait()


class Broker:
    """A Redis for one test, which may kill and freeze it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._service = redis.service(folder)
        self._log = folder / "redis.log"
        self.environment = dict(self._service.environment)
        self.start()

    def start(self) -> None:
        self._running = Running(self._service.program(), self._log)
        self._running.wait_until(self._service.is_ready, timeout_s=30)

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self._running.popen.pid)

    def stop(self) -> None:
        self._running.popen.kill()
        self._running.popen.wait()

    def send(self, task: str, *arguments: Any) -> None:
        with Celery(broker=self.environment["REDIS_URL"], set_as_current=False) as sender:
            sender.send_task(task, arguments, queue="mcp")


def database_server() -> psutil.Process:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return psutil.Process(psutil.Process(cursor.fetchone()[0]).ppid())


@contextmanager
def frozen(server: psutil.Process) -> Iterator[None]:
    """Freezes a server with its children. It answers nobody, the tests included."""
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()
