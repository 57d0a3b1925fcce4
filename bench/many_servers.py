"""Memory and processor time of one worker with 200 idle servers."""

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
    shims = worker.children()
    before = _cpu_s([worker]), _cpu_s(shims)
    time.sleep(QUIET_S)
    of_worker_s, of_shims_s = _cpu_s([worker]) - before[0], _cpu_s(shims) - before[1]
    idle = [seconds * 100 / QUIET_S for seconds in (of_worker_s, of_shims_s, of_worker_s + of_shims_s)]
    of_shims, of_worker = sum(map(_pss, shims)), _pss(worker)
    mib = 1024 * 1024
    return [
        Figure("200 servers started at once", [started_s]),
        Figure("memory of the worker for each server", [(of_worker - empty) / SERVERS / mib], "MiB"),
        Figure("memory of a shim", [of_shims / len(shims) / mib], "MiB"),
        Figure("memory for each server in all", [(of_worker + of_shims) / SERVERS / mib], "MiB", goal=15),
        Figure("processor of the worker, idle", idle[:1], "% of a core"),
        Figure("processor of all shims, idle", idle[1:2], "% of a core"),
        Figure("processor in all, idle", idle[2:], "% of a core", goal=2),
    ]


def _pss(process: psutil.Process) -> int:
    """Returns bytes of memory. Shared pages count in proportion (PSS)."""
    return int(process.memory_full_info().pss)


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)
