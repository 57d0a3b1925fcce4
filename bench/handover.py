"""A planned handover: a worker gets SIGTERM under load, and another one takes over its servers."""

import asyncio
import time
from collections.abc import Sequence

from bench.figures import Figure
from bench.scene import (
    calling,
    owner_of,
    seconds_until_replaced,
    start_servers,
    start_worker,
    wait_for_workers,
)
from connector.client import calls
from connector.errors import CallFailed
from tests.chaos.victims import Victim
from tests.chaos.world import World

SERVERS, ROUNDS = 4, 10
CALLS_A_SECOND = 20
CALL_WITHIN_S = 30.0


def measure(world: World) -> list[Figure]:
    start_worker(world)
    servers = start_servers(world, SERVERS)
    start_worker(world)
    load = Load(servers)
    took = calling(lambda: _rounds(world, load))
    what = f"A call, over {ROUNDS} handovers ({CALLS_A_SECOND} calls a second)"
    return [
        Figure("SIGTERM to every tool usable at another worker", took, goal=3.5),
        Figure(what, load.took),
        Figure(f"Failed calls of {len(load.took)} in {ROUNDS} handovers (goal 0)", [load.failed], "calls"),
    ]


async def _rounds(world: World, load: "Load") -> list[float]:
    running = asyncio.create_task(load.run())
    took = []
    for _ in range(ROUNDS):
        victim = await asyncio.to_thread(owner_of, world, load.servers[0])
        took.append(await seconds_until_replaced(load.servers, victim.terminate))
        await asyncio.to_thread(_restart, world, victim)
    load.ended.set()
    await running
    return took


def _restart(world: World, victim: Victim) -> None:
    victim.wait(timeout_s=30)
    victim.start()
    wait_for_workers(world)


class Load:
    """Calls the servers in turn, CALLS_A_SECOND times a second."""

    def __init__(self, servers: Sequence[int]) -> None:
        self.servers = servers
        self.took: list[float] = []
        self.failed = 0
        self.ended = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            number = 0
            while not self.ended.is_set():
                group.create_task(self._call(self.servers[number % len(self.servers)]))
                number += 1
                await asyncio.sleep(1 / CALLS_A_SECOND)

    async def _call(self, server_id: int) -> None:
        began = time.monotonic()
        try:
            await calls.call(server_id, "pid", {}, timeout_s=CALL_WITHIN_S)
        except CallFailed:
            self.failed += 1
        self.took.append(time.monotonic() - began)
