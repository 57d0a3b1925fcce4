"""Compares what should run with what this worker runs, acts on the difference, publishes what it sees."""

import asyncio
import logging
from collections.abc import Callable

from connector.errors import CallFailed
from connector.host import clock, timestamp
from connector.leases import store as leases
from connector.leases.observation import Observation, Slot
from connector.leases.store import Owned, Owner
from connector.lifecycle.failures import ExitClass, Failure
from connector.lifecycle.server_task import ServerTask, Surroundings
from connector.process import orphans
from connector.process.resource_monitor import ResourceMonitor
from connector.states import Phase
from connector.supervisor import orm
from connector.supervisor.lease_keeper import LeaseKeeper
from connector.supervisor.peers import Neighbours
from connector.supervisor.publisher import Publisher
from connector.supervisor.rebalancer import Spreader
from connector.timings import Timings
from core.database import DATABASE_ERRORS
from tools.launch import LaunchSpec

log = logging.getLogger(__name__)

STARTS_AT_ONCE = 8


class Reconciler:
    """`tasks` holds what runs here. Its methods but `find` are for one loop, one after the other."""

    def __init__(
        self, owner: Owner, timings: Timings, monitor: ResourceMonitor, changed: Callable[[], None]
    ) -> None:
        self.tasks: dict[Slot, ServerTask] = {}
        self.keeper = LeaseKeeper(owner, timings, self.tasks, changed)
        self._draining = False
        self._answered = True
        self._owner = owner
        self._timings = timings
        self._database = leases.Database()
        self._publisher = Publisher(self._database, owner)
        self._unlaunchable: dict[Slot, int] = {}
        self._neighbours = Neighbours(changed)
        self._spreader = Spreader(self._database, owner, timings, self.tasks)
        self._around = Surroundings(
            owner=owner.name,
            timings=timings,
            lease_left=self.keeper.guard_left,
            starting=asyncio.Semaphore(STARTS_AT_ONCE),
            monitor=monitor,
            changed=changed,
        )

    def find(self, slot: Slot, fence: int) -> ServerTask:
        """The task that serves a slot. Raises CallFailed `stale_fence` when that is not, or no more, ours."""
        task = self.tasks.get(slot)
        if task is None or task.fence != fence or not self.keeper.holds:
            raise CallFailed("stale_fence", "The server is no longer at this worker.")
        return task

    async def reconcile(self) -> None:
        """One round. Raises DATABASE_ERRORS."""
        if not self.keeper.holds:
            return
        self._answered = False
        if self._draining:
            await leases.begin_drain(self._database, self._owner)
        else:
            await self._bury_the_dead()
            await leases.claim(self._database, self._owner, lease_s=self._timings.lease)
            await self._spreader.round()
        rows = {row.slot: row for row in await leases.owned(self._database, self._owner)}
        for slot in self.tasks.keys() - rows.keys():
            self._let_go(slot)
        self._spreader.leaving &= rows.keys()
        for row in rows.values():
            await self._settle(row)
        await self._publisher.publish(self.tasks)
        self._answered = True

    @property
    def is_drained(self) -> bool:
        """Nothing runs any more, and what the database let us release is released."""
        releases = self.keeper.holds and self._answered
        left = self.tasks if releases else [task for task in self.tasks.values() if not task.is_done]
        return self._draining and not left

    def drain(self, *, hard: bool) -> None:
        """Claim nothing more and stop everything; `reconcile` then releases it."""
        self._draining = self.keeper.draining = True
        for task in self.tasks.values():
            task.stop(hard=hard)

    def check(self, server_id: int | None) -> None:
        """Check this server now, or, without an id, what was not checked lately."""
        for slot, task in self.tasks.items():
            lately = task.seen.checked is not None and clock() - task.seen.checked <= self._timings.health
            if slot.server_id == server_id or (server_id is None and not lately):
                task.check()

    async def kill_all(self) -> None:
        for task in self.tasks.values():
            task.stop(hard=True)
        await asyncio.gather(*(task.wait() for task in self.tasks.values()))

    async def leave(self) -> None:
        """Be no worker any more. Without the database the leases run out by themselves."""
        try:
            await leases.bury(self._database, [self._owner.name])
        except DATABASE_ERRORS as error:
            log.warning("The worker could not sign off (%s).", type(error).__name__)
        finally:
            self._neighbours.watch([])
            await self._database.close()

    async def _bury_the_dead(self) -> None:
        """Owners of this host whose process is gone need not be waited for until their leases end."""
        neighbours = await leases.neighbours(self._database, self._owner)
        dead = [name for name in neighbours if not orphans.owner_is_alive(name)]
        self._neighbours.watch(set(neighbours) - set(dead))
        if dead:
            killed = await asyncio.to_thread(orphans.kill_orphans)
            log.warning(
                "%d workers of this host are gone; %d processes left behind were killed.", len(dead), killed
            )
            await leases.bury(self._database, dead)

    def _let_go(self, slot: Slot) -> None:
        """The database says that the slot is no longer ours."""
        if self.tasks[slot].is_done:
            self._forget(slot)
        else:
            self.tasks[slot].stop(hard=True)

    def _forget(self, slot: Slot) -> None:
        del self.tasks[slot]
        self._publisher.forget(slot)
        self._unlaunchable.pop(slot, None)

    async def _settle(self, row: Owned) -> None:
        task = self.tasks.get(row.slot)
        wanted = row.wanted and not self._draining and row.slot not in self._spreader.leaving
        if task is not None and task.is_done:
            self._forget(row.slot)
            task = None
        if task is not None:
            if not wanted or (task.spec.generation, task.fence) != (row.generation, row.fence):
                task.stop()
        elif not wanted:
            await leases.release(self._database, self._owner, row.slot, row.fence)
            self._spreader.leaving.discard(row.slot)
        elif self._unlaunchable.get(row.slot) != row.generation:
            await self._launch(row)

    async def _launch(self, row: Owned) -> None:
        spec = await self._spec(row)
        if spec is None or not self.keeper.holds:
            return
        probe = not row.is_of_older_era
        self.tasks[row.slot] = ServerTask(spec, row.slot, row.fence, self._around, probe=probe)

    async def _spec(self, row: Owned) -> LaunchSpec | None:
        try:
            return await orm.read_spec(row.slot.server_id)
        except DATABASE_ERRORS:
            raise
        except Exception as error:
            log.exception("MCP server %s cannot be launched as it is stored.", row.slot)
            self._unlaunchable[row.slot] = row.generation
            failure = Failure(
                "start", ExitClass.MISCONFIGURED, f"The settings cannot be read: {type(error).__name__}."
            )
            seen = Observation(Phase.BACKOFF, row.generation, error=failure.as_error(timestamp()))
            await leases.publish(self._database, self._owner, row.slot, row.fence, seen)
            return None
