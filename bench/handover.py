"""A planned handover: a worker gets SIGTERM under load, and another one takes over its servers."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from bench.figures import Figure
from bench.scene import calling, rounds, start_servers, start_worker
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
    with load.running():
        took = rounds(world, ROUNDS, servers, Victim.terminate)
    return [
        Figure("SIGTERM to every tool usable at another worker", took, goal=3.5),
        Figure(f"A call during {ROUNDS} handovers ({len(load.took)} calls)", load.took, goal=CALL_WITHIN_S),
        Figure(f"Failed calls in {ROUNDS} handovers", [float(load.failed)], goal=0, unit="calls"),
    ]


class Load:
    """Calls the servers in turn, CALLS_A_SECOND times a second, from an event loop of its own."""

    def __init__(self, servers: Sequence[int]) -> None:
        self.took: list[float] = []
        self.failed = 0
        self._servers = servers
        self._ended = Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = Thread(target=calling, args=[self._run])
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            number = 0
            while not self._ended.is_set():
                group.create_task(self._call(self._servers[number % len(self._servers)]))
                number += 1
                await asyncio.sleep(1 / CALLS_A_SECOND)

    async def _call(self, server_id: int) -> None:
        began = time.monotonic()
        try:
            await calls.call(server_id, "pid", {}, timeout_s=CALL_WITHIN_S)
        except CallFailed:
            self.failed += 1
        self.took.append(time.monotonic() - began)
