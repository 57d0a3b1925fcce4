import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from connector.client import calls
from connector.models import Instance, Worker
from connector.supervisor.supervisor import Supervisor
from connector.timings import Timings
from core import feed
from core.actor import Actor
from tests.connector.processes import ROOT, Broker, CeleryWorkers, OwnerProcess, server_processes
from tests.connector.remote import RemoteServer
from tools import actions
from tools.models import MCPTool, Status

BY = Actor.system("tests")
SERVERS = ROOT / "tests" / "servers"
FAST = Timings(lease=4, heartbeat=0.5, poll=0.2, health=0.5, health_deadline=1, drain=0.5, orphan_scan=0.5)


def orm(work: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Returns `work` as a coroutine function: it runs in a thread, whose connection is closed after it."""

    def run(*args: Any, **options: Any) -> Any:
        try:
            return work(*args, **options)
        finally:
            connections.close_all()

    return sync_to_async(run)


async def wait_for(condition: Callable[[], Any], *, within_s: float = 30) -> Any:
    """Returns the first true value of `condition`, which may be a coroutine function."""
    until = time.monotonic() + within_s
    while True:
        value = condition()
        value = await value if asyncio.iscoroutine(value) or isinstance(value, asyncio.Future) else value
        if value:
            return value
        assert time.monotonic() < until, f"not within {within_s} s: {condition}"
        await asyncio.sleep(0.02)


async def wait_for_workers(number: int) -> None:
    """Waits until so many supervisors have registered: before, the others claim their share.

    The last of them may still be starting.
    """
    await wait_for(orm(lambda: Worker.objects.exclude(seen_at=None).count() == number))


class Servers:
    """Registers MCP servers and reads their rows, as the rest of the product does."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    async def register(self, *switches: str, name: str = "fake", **fields: Any) -> MCPTool:
        fields.setdefault("connection_type", "stdio")
        if fields["connection_type"] == "stdio":
            fields.setdefault("command", "python")
            fields.setdefault("args", [str(SERVERS / "fake.py"), *switches])
        else:
            self._settings.ALLOWED_PRIVATE_HOSTS = [
                *self._settings.ALLOWED_PRIVATE_HOSTS,
                urlsplit(fields["url"]).netloc,
            ]
        return await orm(actions.register)(name=name, by=BY, **fields)

    async def act(self, verb: Callable[..., Any], server: MCPTool, **options: Any) -> None:
        await orm(lambda: verb(MCPTool.objects.get(pk=server.pk), by=BY, **options))()

    async def row(self, server: MCPTool) -> MCPTool:
        return await orm(MCPTool.objects.get)(pk=server.pk)

    async def instance(self, server: MCPTool, slot: int = 0) -> Instance:
        return await orm(Instance.objects.select_related("worker").get)(server=server, slot=slot)

    async def wait_until(self, server: MCPTool, status: Status, *, within_s: float = 30) -> MCPTool:
        async def reached() -> MCPTool | None:
            row = await self.row(server)
            return row if row.status == status else None

        return await wait_for(reached, within_s=within_s)

    async def owned(self, *switches: str) -> tuple[MCPTool, int]:
        """Registers a server, waits until a Celery worker runs it, and returns it with its process id.

        The worker may still be starting.
        """
        server = await self.register(*switches)
        await self.wait_until(server, Status.RUNNING, within_s=60)
        return server, (await self.instance(server)).pid

    async def running(self, *switches: str, **fields: Any) -> MCPTool:
        return await self.wait_until(await self.register(*switches, **fields), Status.RUNNING)


@pytest.fixture
def servers(transactional_db: None, settings: Any) -> Servers:
    return Servers(settings)


@pytest.fixture
def supervise(transactional_db: None) -> Iterator[Callable[..., Supervisor]]:
    """Starts supervisors. Each must be able to stop at the end of the test."""
    started: list[Supervisor] = []

    def start(node: str = "mcp@test", **options: Any) -> Supervisor:
        supervisor = Supervisor(node, **{"timings": FAST, "bind": "", **options})
        supervisor.start()
        started.append(supervisor)
        return supervisor

    yield start
    # A busy machine may need longer for it than a worker is given.
    ended = [any(supervisor.stop(hard=True) for _ in range(5)) for supervisor in started]
    assert all(ended)


@pytest.fixture
async def caller() -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """`calls.call`, in a process that listens to the change feed."""

    async def call(server: MCPTool, function: str, *, timeout_s: float = 5, **arguments: Any) -> Any:
        return await calls.call(server.pk, function, arguments, timeout_s=timeout_s)

    async with feed.listening(), calls.lifespan():
        yield call


@pytest.fixture
def start_remote() -> Iterator[Callable[..., RemoteServer]]:
    """Starts a RemoteServer, given the arguments of its constructor."""
    started: list[RemoteServer] = []

    def start(*arguments: str, **options: str) -> RemoteServer:
        started.append(RemoteServer(*arguments, **options))
        return started[-1].start()

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def older_era(monkeypatch: Any) -> None:
    """Makes every server one that knows `initialize` only."""

    async def undiscovered(_: Any) -> bool:
        return False

    monkeypatch.setattr("connector.session.client.Session._discover", undiscovered)


@pytest.fixture
def owner_process(transactional_db: None) -> Iterator[Callable[[str], OwnerProcess]]:
    started: list[OwnerProcess] = []

    def start(node: str = "mcp@other") -> OwnerProcess:
        started.append(OwnerProcess(node))
        started[-1].wait_until_up()
        return started[-1]

    yield start
    for owner in started:
        owner.end()


@pytest.fixture
def celery_worker(transactional_db: None, tmp_path: Path) -> Iterator[CeleryWorkers]:
    workers = CeleryWorkers(tmp_path / "worker.log")
    yield workers
    workers.end()
    sys.stderr.write(workers.log.read_text())


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """No process of a server outlives its test, whatever that did to owners and shims."""
    yield
    until = time.monotonic() + 15
    while left := server_processes():
        assert time.monotonic() < until, f"left behind: {left}"
        time.sleep(0.02)
