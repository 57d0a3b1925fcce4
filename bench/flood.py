"""Calls of a server beside one that floods its worker with notifications."""

import asyncio
import statistics
import time

from bench.figures import Figure
from bench.scene import calling, start_servers, start_worker
from connector.client import calls
from tests.chaos.world import World

STORM_S, PAUSE_S, CALLS = 8.0, 0.01, 200


def measure(world: World) -> list[Figure]:
    start_worker(world)
    loud, neighbour = start_servers(world, 2)
    quiet, beside = calling(lambda: _compare(loud, neighbour))
    return [
        Figure("a neighbour's call without a flood", quiet, "ms"),
        Figure("a neighbour's call beside a flood", beside, "ms", goal=2 * statistics.median(quiet)),
    ]


async def _compare(loud: int, neighbour: int) -> tuple[list[float], list[float]]:
    await _calls(neighbour)
    quiet = await _calls(neighbour)
    storm = asyncio.create_task(calls.call(loud, "storm", {"s": STORM_S}, timeout_s=60))
    await asyncio.sleep(0.5)
    beside = await _calls(neighbour)
    await storm
    return quiet, beside


async def _calls(server_id: int) -> list[float]:
    """Returns the milliseconds of each call."""
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await calls.call(server_id, "echo", {}, timeout_s=10)
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(PAUSE_S)
    return took
