"""Two hundred servers at one worker: what the worker and its guards need for each, while nobody calls."""

import time

import psutil

from bench.figures import Figure
from bench.scene import start_servers, start_worker
from tests.chaos.world import World

SERVERS = 200
QUIET_S = 60.0  # two health checks


def measure(world: World) -> list[Figure]:
    start_worker(world)
    worker = psutil.Process(world.workers[0].pid)
    empty = _pss(worker)
    began = time.monotonic()
    start_servers(world, SERVERS)
    started_s = time.monotonic() - began
    time.sleep(5)
    guards = worker.children()
    before = _cpu_s([worker, *guards])
    time.sleep(QUIET_S)
    busy = (_cpu_s([worker, *guards]) - before) / QUIET_S
    of_guards, of_worker = sum(map(_pss, guards)), _pss(worker)
    mib = 1024 * 1024
    return [
        Figure("200 servers started at once", [started_s]),
        Figure("memory of the worker for each server", [(of_worker - empty) / SERVERS / mib], "MiB"),
        Figure("memory of a guard", [of_guards / len(guards) / mib], "MiB"),
        Figure("memory for each server in all", [(of_worker + of_guards) / SERVERS / mib], "MiB", goal=15),
        Figure("worker and guards, idle", [busy * 100], "% of a core", goal=2),
    ]


def _pss(process: psutil.Process) -> int:
    """Bytes, of which what is shared counts in parts."""
    return int(process.memory_full_info().pss)


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)
