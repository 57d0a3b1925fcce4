"""The lease keeper renews the leases of a worker, and kills its servers in time when it cannot."""

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
    """Counts by a monotonic clock from before a renewal was sent: never longer than the database does.

    `on_regained` is called when a renewal succeeds after the worker had lost its right to act.
    """

    def __init__(
        self,
        owner: Owner,
        timings: Timings,
        tasks: Mapping[Slot, ServerTask],
        on_regained: Callable[[], None],
    ) -> None:
        self.is_draining = False
        self._owner = owner
        self._timings = timings
        self._tasks = tasks
        self._on_regained = on_regained
        self._renewed = float("-inf")

    @property
    def is_valid(self) -> bool:
        """Whether this worker may act as an owner."""
        return clock() < self._renewed + self._timings.self_fence

    def shim_lease_left_s(self) -> float:
        """Returns the seconds after which shims must kill if they get no heartbeat."""
        return max(0.0, self._renewed + self._timings.shim - clock())

    async def renew_for_ever(self) -> None:
        # A connection of its own: the reconciler's may be busy with a slow statement.
        database = leases.Database()
        try:
            while True:
                pause_s = await self._renew(database)
                await asyncio.sleep(pause_s)
        finally:
            await database.close()

    async def fence_for_ever(self) -> None:
        """Kills everything when the lease was not renewed for too long.

        A loop beside the renewal, which may be waiting for a database that does not answer.
        """
        while True:
            await asyncio.sleep(self._timings.lease / 60)
            if self.is_valid:
                continue
            if running := [task for task in self._tasks.values() if not task.is_done]:
                log.error("The lease could not be renewed in time: killing %d MCP servers.", len(running))
                for task in running:
                    task.stop(hard=True)
                await asyncio.gather(*(task.wait() for task in running))

    async def _renew(self, database: leases.Database) -> float:
        """Renews once; returns the seconds to the next time."""
        # Before the statement is sent: the lease begins when the database executes it, which is later.
        asked, before = clock(), {slot: task.fence for slot, task in self._tasks.items()}
        try:
            if not self.is_draining:
                await leases.register(database, self._owner)
            held = await leases.renew(database, self._owner, lease_s=self._timings.lease)
        except DATABASE_ERRORS as error:
            log.warning("The leases could not be renewed (%s).", type(error).__name__)
            return min(RETRY_S, self._timings.heartbeat)
        if not self.is_valid:
            self._on_regained()
        self._renewed = asked
        self._notify_tasks(before, held)
        return self._timings.heartbeat

    def _notify_tasks(self, before: dict[Slot, int], held: dict[Slot, int]) -> None:
        """Passes heartbeats on for the leases that were renewed, and kills servers whose lease was lost."""
        # Only slots that were ours before the question: one that was claimed since is not in its answer.
        for slot, fence in before.items():
            if (task := self._tasks.get(slot)) is None:
                continue
            if held.get(slot) == fence:
                task.heartbeat()
            elif not task.is_done:
                log.error("The lease on MCP server %s was lost; killing it.", slot)
                task.stop(hard=True)
