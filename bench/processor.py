"""Processor time and memory of processes, by kind."""

from collections.abc import Mapping, Sequence

import psutil

from tests.chaos.world import World

Kinds = Mapping[str, Sequence[int]]
"""The ids of processes by their kind. Each counts with its children."""
ENDING = ("postgres",)
"""Kinds whose children come and go, and are all their own. Others start MCP servers."""
_FOREIGN = ("upstream.py", "mcp_echo.py")


def ours(world: World) -> Kinds:
    """Returns the product's processes that a request needs."""
    return {
        "web": [helper.pid for helper in world.helpers if helper.name == "web"],
        "worker": [worker.pid for worker in world.workers],
        "postgres": [world.postgres.pid],
        "redis": [world.redis.pid],
    }


def seconds(world: World) -> dict[str, float]:
    return spent(ours(world))


def spent(kinds: Kinds) -> dict[str, float]:
    """Returns the seconds of processor time that each kind has used.

    The LLM service and the MCP servers of the benchmarks are nobody's cost, and left out.
    """
    return {
        kind: sum(_cpu_s(process, with_ended=kind in ENDING) for process in trees(pids))
        for kind, pids in kinds.items()
    }


def memory(kinds: Kinds) -> dict[str, float]:
    """Returns the MB of memory of each kind: of pages that processes share, each has its share (PSS).

    Where a process's PSS cannot be read, its RSS counts.
    """
    return {kind: sum(_bytes(process) for process in trees(pids)) / 1e6 for kind, pids in kinds.items()}


def between(before: Mapping[str, float], after: Mapping[str, float], *, each: int) -> dict[str, float]:
    """Returns milliseconds for each of so many requests."""
    return {kind: (after[kind] - before[kind]) * 1000 / each for kind in after}


def trees(pids: Sequence[int]) -> list[psutil.Process]:
    """Returns the processes with all that they started, without LLM services and MCP servers."""
    found = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            found += [each for each in (process, *process.children(recursive=True)) if not _is_foreign(each)]
        except psutil.NoSuchProcess:
            continue
    return found


def _is_foreign(process: psutil.Process) -> bool:
    try:
        return any(argument.endswith(_FOREIGN) for argument in process.cmdline())
    except psutil.NoSuchProcess:
        return True


def _cpu_s(process: psutil.Process, *, with_ended: bool) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    ended = times.children_user + times.children_system if with_ended else 0.0
    return float(times.user + times.system + ended)


def _bytes(process: psutil.Process) -> int:
    try:
        whole = process.memory_full_info()
        return int(getattr(whole, "pss", whole.rss))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
