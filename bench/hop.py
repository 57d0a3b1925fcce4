"""What the way through a worker adds to a call, against the SDK alone with the same server; what it costs."""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench import processor
from bench.figures import Figure
from bench.scene import calling, start_servers, start_worker
from connector.client import calls
from tests.chaos.scene import FAKE
from tests.chaos.world import World

WARM_UP, CALLS, TURNS = 50, 100, 10
AT_ONCE, EACH = 16, 100
Call = Callable[[], Awaitable[object]]


def measure(world: World) -> list[Figure]:
    start_worker(world)
    (server,) = start_servers(world, 1)
    direct, hop = calling(lambda: _compare(server))
    added = [one - other for one, other in zip(hop, direct, strict=True)]
    return [
        Figure("call by the SDK alone", direct, "ms"),
        Figure("call by way of a worker", hop, "ms"),
        Figure("added by the way", added, "ms", goal=1.5),
        Figure(f"caller and worker, {AT_ONCE} at once", calling(lambda: _cost(world, server)), "CPU-ms"),
    ]


async def _compare(server: int) -> tuple[list[float], list[float]]:
    """Returns the median of each turn in ms. Turns alternate, so that other load hits both alike."""
    fake = StdioServerParameters(command=sys.executable, args=[FAKE])
    async with stdio_client(fake) as streams, ClientSession(*streams) as session:
        await session.initialize()

        async def by_worker() -> object:
            return await calls.call(server, "echo", {"a": 1}, timeout_s=5)

        async def by_sdk() -> object:
            return await session.call_tool("echo", {"a": 1})

        for call in (by_worker, by_sdk):
            await _turn(call, WARM_UP)
        turns = [(await _turn(by_sdk, CALLS), await _turn(by_worker, CALLS)) for _ in range(TURNS)]
    return [direct for direct, _ in turns], [hop for _, hop in turns]


async def _cost(world: World, server: int) -> list[float]:
    """Returns the processor time of a call in both processes, in ms: one of each turn."""

    async def call_again_and_again() -> None:
        for _ in range(EACH):
            await calls.call(server, "echo", {"a": 1}, timeout_s=30)

    async def turn() -> float:
        before = time.process_time() + processor.seconds(world)["worker"]
        await asyncio.gather(*(call_again_and_again() for _ in range(AT_ONCE)))
        used = time.process_time() + processor.seconds(world)["worker"] - before
        return used * 1000 / (AT_ONCE * EACH)

    return [await turn() for _ in range(TURNS)]


async def _turn(call: Call, number: int) -> float:
    took = []
    for _ in range(number):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
