"""Workers and MCP servers under measurement, and a process that calls their tools."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from connector.client import calls, routes
from connector.errors import CallFailed
from connector.models import Instance, Worker
from core import feed
from tests.chaos.scene import all_run, register_one
from tests.chaos.victims import Victim
from tests.chaos.world import World, wait_for

T = TypeVar("T")
CALL_TIMEOUT_S = 5.0
PAUSE_S = 0.01
START_WITHIN_S = 300.0
GIVEN_UP_AFTER_S = 120.0


def start_worker(world: World, command: list[str] | None = None) -> None:
    """Starts one more worker, with its own folder of unix sockets, as on a host of its own."""
    number = len(world.workers)
    folder = world.folder / f"worker{number}"
    folder.mkdir()
    own = {"TMPDIR": str(folder)} | ({"CONNECTOR_HOST_BIND": "127.0.0.1:0"} if command else {})
    world.start_worker(f"mcp{number}@bench", command, **own)
    wait_for_workers(world)


def wait_for_workers(world: World) -> None:
    """Waits until the running workers have registered, and dead ones are gone."""
    number = len(world.workers)
    wait_for(lambda: Worker.objects.count() == number, within_s=START_WITHIN_S, what=f"{number} workers")


def start_servers(world: World, number: int) -> list[int]:
    servers = [register_one(world, f"server {index}") for index in range(number)]
    wait_for(lambda: all_run(servers), within_s=START_WITHIN_S, what="every server runs")
    return servers


def owner_of(world: World, server_id: int) -> Victim:
    node = Instance.objects.get(server=server_id).worker
    return next(worker for worker in world.workers if node and worker.name == node.node)


def calling(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` as a web process would."""

    async def run() -> T:
        async with feed.listening(), calls.lifespan():
            return await work()

    return asyncio.run(run())


async def pid_of(server_id: int) -> int:
    """Returns the id of the process that serves it now; 0 if it cannot be called."""
    try:
        result = await calls.call(server_id, "pid", {}, timeout_s=CALL_TIMEOUT_S)
    except CallFailed:
        return 0
    return int(result.content[0]["text"])


async def seconds_until_replaced(servers: Collection[int], strike: Callable[[], object]) -> float:
    """Returns the time from `strike` until each server is served by another process than before."""
    before = {server: await _process_of(server) for server in servers}
    struck = time.monotonic()
    strike()
    async with asyncio.timeout(GIVEN_UP_AFTER_S):
        await asyncio.gather(*(_replaced(server, before[server]) for server in servers))
    return time.monotonic() - struck


async def _replaced(server: int, before: object) -> None:
    while True:
        now = await _process_of(server)
        if now not in (None, before):
            return
        await asyncio.sleep(PAUSE_S)


async def _process_of(server: int) -> object:
    """Returns its process id and fence, or None if it cannot be called.

    Two hosts may use the same process id, but never under the same fence.
    """
    pid, found = await pid_of(server), await routes.find(server)
    return (pid, found[0].fence) if pid and isinstance(found, tuple) else None


def rounds(
    world: World, number: int, servers: Sequence[int], strike: Callable[[Victim], object]
) -> list[float]:
    """Returns the seconds of each round: the owner of the servers is struck, then started again."""
    return [_round(world, servers, strike) for _ in range(number)]


def _round(world: World, servers: Sequence[int], strike: Callable[[Victim], object]) -> float:
    victim = owner_of(world, servers[0])
    took_s = calling(lambda: seconds_until_replaced(servers, lambda: strike(victim)))
    victim.wait(timeout_s=30)
    victim.start()
    wait_for_workers(world)
    return took_s
