"""The time from the end of a server process until its tools are usable again."""

import asyncio
import os
import signal

from bench.figures import Figure
from bench.scene import calling, pid_of, seconds_until_replaced, start_servers, start_worker
from tests.chaos.world import World

SERVERS = 11


def measure(world: World) -> list[Figure]:
    """Kills each server once, because the backoff of one that crashes often grows."""
    start_worker(world)
    servers = start_servers(world, SERVERS)

    async def kill_each() -> list[float]:
        took = []
        for server in servers:
            pid = await pid_of(server)
            took.append(await seconds_until_replaced([server], lambda: os.kill(pid, signal.SIGKILL)))  # noqa: B023
            await asyncio.sleep(0.5)
        return took

    return [Figure("server killed, its tools usable again", calling(kill_each), goal=1)]
