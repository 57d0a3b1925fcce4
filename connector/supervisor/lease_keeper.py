"""Keeps the leases of a worker, and kills what it owns in time when it cannot."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from connector.host import clock
from connector.leases import store as leases
from connector.leases.observation import Slot
from connector.leases.store import Owner
from connector.lifecycle.server_task import ServerTask
from connector.timings import Timings
from core.database import DATABASE_ERRORS

log = logging.getLogger(__name__)

RETRY_S = 1.0


class LeaseKeeper:
    """Counts by a monotonic clock from before a renewal was sent: never longer than the database does."""

    def __init__(
        self, owner: Owner, timings: Timings, tasks: Mapping[Slot, ServerTask], regained: Callable[[], None]
    ) -> None:
        self.draining = False
        self._owner = owner
        self._timings = timings
        self._tasks = tasks
        self._regained = regained
        self._renewed = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether this worker may act as an owner."""
        return clock() < self._renewed + self._timings.self_fence

    def guard_left(self) -> float:
        """Seconds after which guards must kill, if they hear nothing more."""
        return max(0.0, self._renewed + self._timings.guard - clock())

    async def keep(self) -> None:
        database = leases.Database()
        try:
            while True:
                pause = await self._renew(database)
                await asyncio.sleep(pause)
        finally:
            await database.close()

    async def fence(self) -> None:
        """Kill everything when the lease was not renewed for too long."""
        while True:
            await asyncio.sleep(self._timings.lease / 60)
            if self.holds:
                continue
            if running := [task for task in self._tasks.values() if not task.is_done]:
                log.error("The lease could not be renewed in time: killing %d MCP servers.", len(running))
                for task in running:
                    task.stop(hard=True)
                await asyncio.gather(*(task.wait() for task in running))

    async def _renew(self, database: leases.Database) -> float:
        """Renew once; seconds to the next time."""
        asked, before = clock(), {slot: task.fence for slot, task in self._tasks.items()}
        try:
            if not self.draining:
                await leases.register(database, self._owner)
            held = await leases.renew(database, self._owner, lease_s=self._timings.lease)
        except DATABASE_ERRORS as error:
            log.warning("The leases could not be renewed (%s).", type(error).__name__)
            return min(RETRY_S, self._timings.heartbeat)
        if not self.holds:
            self._regained()
        self._renewed = asked
        self._pass_on(before, held)
        return self._timings.heartbeat

    def _pass_on(self, before: dict[Slot, int], held: dict[Slot, int]) -> None:
        """Only slots that were ours before the question can have been lost by its answer."""
        for slot, fence in before.items():
            if (task := self._tasks.get(slot)) is None:
                continue
            if held.get(slot) == fence:
                task.beat()
            elif not task.is_done:
                log.error("The lease on MCP server %s was lost; killing it.", slot)
                task.stop(hard=True)
