"""Looks at what all servers of a worker use, in one pass, so that their guards need not, each for itself."""

import asyncio
from collections.abc import Mapping

from connector.host import clock
from connector.leases.observation import Slot
from connector.lifecycle.server_task import ServerTask
from connector.process import tree
from connector.process.shim import LOOK_S
from connector.process.stdio import StdioProcess
from connector.timings import Timings


class TreeWatch:
    """A guard looks itself as long as its tree is near a limit, and if nobody has told it otherwise lately.

    While the worker is frozen nobody looks; but then its guards kill, when its lease ends.
    """

    def __init__(self, tasks: Mapping[Slot, ServerTask], timings: Timings) -> None:
        self._tasks = tasks
        self._good_for_s = timings.guard + timings.heartbeat

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        looked, guards = clock(), self._guards()
        used = await asyncio.to_thread(tree.used_below, guards.keys())
        for guard, (task, process) in guards.items():
            is_near = guard not in used or process.confinement.is_near(*used[guard])
            was_watched = process.watched_until > looked
            process.watched_until = 0.0 if is_near else looked + self._good_for_s
            if is_near and was_watched and task.process is process:
                task.beat()

    def _guards(self) -> dict[int, tuple[ServerTask, StdioProcess]]:
        """By process id."""
        found = {}
        for task in self._tasks.values():
            process = task.process
            if process is not None and process.guard_pid is not None:
                found[process.guard_pid] = task, process
        return found
