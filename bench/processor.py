"""Processor time of the product's processes, by kind."""

from collections.abc import Mapping

import psutil

from tests.chaos.world import World

_FOREIGN = "mcp_echo"


def seconds(world: World) -> dict[str, float]:
    """Returns the seconds of processor time that each kind of process has used, with its children.

    The MCP servers of `bench.mcp_echo` and the LLM service are not ours, and left out.
    """
    kinds = {
        "web": [helper.pid for helper in world.helpers if helper.name == "web"],
        "worker": [worker.pid for worker in world.workers],
        "postgres": [world.postgres.pid],
        "redis": [world.redis.pid],
    }
    return {kind: sum(map(_of_tree, pids)) for kind, pids in kinds.items()}


def between(before: Mapping[str, float], after: Mapping[str, float], *, each: int) -> dict[str, float]:
    """Returns milliseconds for each of so many requests."""
    return {kind: (after[kind] - before[kind]) * 1000 / each for kind in after}


def _of_tree(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(_of(each) for each in tree)


def _of(process: psutil.Process) -> float:
    try:
        if any(_FOREIGN in argument for argument in process.cmdline()):
            return 0.0
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
