"""The resource monitor kills a server's process tree that uses more memory or processes than it may.

It runs in the worker and measures all trees in one scan of /proc: with 200 idle servers, a scan of each shim
of its own tree every 2 s cost more than everything else together. While the worker is frozen nothing is
measured; the shims kill the trees when its lease ends. Needs Linux: without /proc no tree is over a limit.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from connector.host import clock
from connector.process.stdio import StdioProcess
from connector.process.usage import Usage, exact_usage, usages

SCAN_S, CLOSE_SCAN_S = 2.0, 0.2


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What one process tree may use. A limit of 0 is none."""

    memory_mib: int
    processes: int

    def is_near(self, usage: Usage) -> bool:
        """Whether the tree uses more than half of a limit."""
        return 0 < self.memory_mib < 2 * usage.memory_mib or 0 < self.processes < 2 * usage.processes

    def exceeded_by(self, usage: Usage) -> tuple[str, int] | None:
        """Returns `processes` or `memory` (in MiB), and how much of it is used; None within the limits."""
        if 0 < self.processes < usage.processes:
            return "processes", usage.processes
        if 0 < self.memory_mib < usage.memory_mib:
            return "memory", usage.memory_mib
        return None


class _Watched(NamedTuple):
    process: StdioProcess
    limits: ResourceLimits


class ResourceMonitor:
    """Scans every 2 s; a tree that is near a limit is measured five times a second until the next scan."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        # Not the loop's own executor: queries that wait for a hanging database can occupy all of its threads.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="mcp-resource-monitor")

    @contextmanager
    def watching(self, process: StdioProcess, limits: ResourceLimits) -> Iterator[None]:
        """Enforces `limits` on everything below the process's shim, inside the block."""
        shim_pid = process.shim_pid
        assert shim_pid is not None  # noqa: S101 - it has been started
        self._watched[shim_pid] = _Watched(process, limits)
        try:
            yield
        finally:
            del self._watched[shim_pid]

    async def run(self) -> None:
        """Runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                next_scan = clock() + SCAN_S
                found = await loop.run_in_executor(self._executor, usages, list(self._watched))
                near = [shim_pid for shim_pid, usage in found.items() if self._is_near(shim_pid, usage)]
                while near and clock() < next_scan:
                    await self._enforce(near)
                    await asyncio.sleep(CLOSE_SCAN_S)
                await asyncio.sleep(max(0.0, next_scan - clock()))
        finally:
            self._executor.shutdown(wait=False)

    def _is_near(self, shim_pid: int, usage: Usage) -> bool:
        watched = self._watched.get(shim_pid)
        return watched is not None and watched.limits.is_near(usage)

    async def _enforce(self, near: list[int]) -> None:
        loop = asyncio.get_running_loop()
        for shim_pid in near:
            if (watched := self._watched.get(shim_pid)) is None:
                continue
            excess = await loop.run_in_executor(self._executor, _excess, shim_pid, watched.limits)
            # It may have ended while it was measured, and its process id may be another shim's by now.
            if excess is not None and self._watched.get(shim_pid) is watched:
                watched.process.kill_for(excess)


def _excess(shim_pid: int, limits: ResourceLimits) -> tuple[str, int] | None:
    return limits.exceeded_by(exact_usage(shim_pid, memory_limit_mib=limits.memory_mib))
