"""A result of 10 MB, and the delay that it causes to calls of another server of the same worker."""

import asyncio
import time
from contextlib import suppress

from bench.figures import Figure
from bench.scene import calling, start_servers, start_worker
from connector.client import calls
from tests.chaos.world import World

SIZE, ROUNDS = 10_000_000, 9
ALONE_S = 2.0


def measure(world: World) -> list[Figure]:
    start_worker(world)
    big, other = start_servers(world, 2)
    took, alone, meanwhile = calling(lambda: _measure(big, other))
    return [
        Figure("a result of 10 MB", took, goal=0.5),
        Figure("call of another server, nothing else going on, slowest", [max(alone)], "ms"),
        Figure("call of another server, slowest during one such result", meanwhile, "ms", goal=50),
    ]


async def _measure(big: int, other: int) -> tuple[list[float], list[float], list[float]]:
    alone: list[float] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(ALONE_S):
            await _call_for_ever(other, alone)
    took, meanwhile = [], []
    for _ in range(ROUNDS):
        others: list[float] = []
        calling_others = asyncio.create_task(_call_for_ever(other, others))
        began = time.perf_counter()
        await calls.call(big, "big", {"bytes": SIZE}, timeout_s=30)
        took.append(time.perf_counter() - began)
        calling_others.cancel()
        await asyncio.gather(calling_others, return_exceptions=True)
        meanwhile.append(max(others))
    return took, alone, meanwhile


async def _call_for_ever(server: int, took_ms: list[float]) -> None:
    """Appends the duration of each call. A call that is cancelled counts with the time until then."""
    while True:
        began = time.perf_counter()
        try:
            await calls.call(server, "echo", {}, timeout_s=5)
        finally:
            took_ms.append((time.perf_counter() - began) * 1000)
