"""The reconciler compares what should run with what this worker runs, and acts on the difference."""

import asyncio
import logging
from collections.abc import Callable

from connector.errors import CallFailed
from connector.host import clock, timestamp
from connector.leases import store as leases
from connector.leases.observation import Observation, Slot
from connector.leases.store import Owned, Owner
from connector.lifecycle.context import TaskContext
from connector.lifecycle.diagnosis import Diagnosis, ExitReason
from connector.lifecycle.server_task import ServerTask
from connector.lifecycle.session_caps import SessionCaps
from connector.lifecycle.starting import StartSlots
from connector.process import orphans
from connector.process.resource_monitor import ResourceMonitor
from connector.states import Phase
from connector.supervisor import orm
from connector.supervisor.lease_keeper import LeaseKeeper
from connector.supervisor.peers import PeerWatcher
from connector.supervisor.publisher import Publisher
from connector.supervisor.rebalancer import Rebalancer, between_claims_s
from connector.timings import Timings
from core.database import DATABASE_ERRORS
from core.message import Message, told
from tools.launch import LaunchSpec
from tools.secrets.encryption import UndecryptableSecret

log = logging.getLogger(__name__)


class Reconciler:
    """`tasks` holds what runs here. Its methods but `find` are for one loop, one after the other."""

    def __init__(
        self, owner: Owner, timings: Timings, monitor: ResourceMonitor, on_change: Callable[[], None]
    ) -> None:
        self.tasks: dict[Slot, ServerTask] = {}
        self.keeper = LeaseKeeper(owner, timings, self.tasks, on_change)
        self._is_draining = False
        self._last_round_completed = True
        self._has_pruned_silent = False
        self._next_claim = float("-inf")
        self._owner = owner
        self._timings = timings
        self._database = leases.Database()
        self._publisher = Publisher(self._database, owner)
        # The generation of a slot that cannot be launched: it is tried again when somebody edits the server.
        self._unlaunchable: dict[Slot, int] = {}
        self._peers = PeerWatcher(on_change)
        self._rebalancer = Rebalancer(self._database, owner, timings, self.tasks)
        self._context = TaskContext(
            owner=owner.name,
            timings=timings,
            lease_left_s=self.keeper.shim_lease_left_s,
            starts=StartSlots(),
            monitor=monitor,
            caps=SessionCaps(),
            on_change=on_change,
        )

    def find(self, slot: Slot, fence: int) -> ServerTask:
        """Returns the task that serves a slot. Raises CallFailed `stale_fence` when the slot is not ours."""
        task = self.tasks.get(slot)
        # Without a valid lease another worker may serve it already: better refuse than call it twice.
        if task is None or task.fence != fence or not self.keeper.is_valid:
            raise CallFailed("stale_fence", Message("The server is no longer at this worker."))
        return task

    async def reconcile(self) -> None:
        """Runs one round. Raises DATABASE_ERRORS."""
        if not self.keeper.is_valid:
            return
        self._last_round_completed = False
        if self._is_draining:
            await leases.begin_drain(self._database, self._owner)
        else:
            # Before the claim: what a dead peer held is free then.
            await self._prune_dead_workers()
            await self._claim()
            await self._rebalancer.rebalance()
        rows = {row.slot: row for row in await leases.owned(self._database, self._owner)}
        for slot in self.tasks.keys() - rows.keys():
            self._drop(slot)
        self._rebalancer.releasing &= rows.keys()
        for row in rows.values():
            await self._reconcile_slot(row)
        await self._publisher.publish(self.tasks)
        self._last_round_completed = True
        await self._prune_silent_workers()

    @property
    def is_drained(self) -> bool:
        """Whether nothing runs any more, and what the database let us release is released."""
        can_release = self.keeper.is_valid and self._last_round_completed
        # A task is removed once its lease is released. Without the database its end must do.
        left = self.tasks if can_release else [task for task in self.tasks.values() if not task.is_done]
        return self._is_draining and not left

    def drain(self, *, hard: bool) -> None:
        """Claims nothing more and stops everything; `reconcile` then releases it."""
        self._is_draining = self.keeper.is_draining = True
        for task in self.tasks.values():
            task.stop(hard=hard)

    def check(self, server_id: int | None) -> None:
        """Checks this server now; without an id, every server that was not checked lately."""
        for slot, task in self.tasks.items():
            checked = task.observation.checked
            is_recent = checked is not None and clock() - checked <= self._timings.health
            if slot.server_id == server_id or (server_id is None and not is_recent):
                task.check()

    async def kill_all(self) -> None:
        for task in self.tasks.values():
            task.stop(hard=True)
        await asyncio.gather(*(task.wait() for task in self.tasks.values()))

    async def close(self) -> None:
        """Deregisters the worker. Without the database its leases run out by themselves."""
        try:
            await leases.deregister(self._database, self._owner)
        except DATABASE_ERRORS as error:
            log.warning("The worker could not deregister (%s).", type(error).__name__)
        finally:
            self._peers.watch([])
            await self._database.close()

    async def _claim(self) -> None:
        """Claims free slots as often as so many workers may: for each claim PostgreSQL counts all servers."""
        if clock() >= self._next_claim:
            self._next_claim = clock() + between_claims_s(self._rebalancer.workers)
            await leases.claim(self._database, self._owner, lease_s=self._timings.lease)

    async def _prune_dead_workers(self) -> None:
        """Frees the slots of peers whose process is gone, before their leases end: their death is proven."""
        peers = await leases.peers(self._database, self._owner)
        dead = [name for name in peers if not orphans.owner_is_alive(name)]
        self._peers.watch(set(peers) - set(dead))
        if dead:
            # First the processes, then the rows: nobody may claim what still runs.
            killed = await asyncio.to_thread(orphans.kill_orphans)
            log.info("Workers of this host have ended (%d): their servers are free for others.", len(dead))
            if killed:
                log.warning("They had left processes of MCP servers behind, which were killed: %d.", killed)
            await leases.prune(self._database, dead)

    async def _prune_silent_workers(self) -> None:
        """Deletes the rows of workers on hosts that never came back.

        Once in a supervisor's life; after that the task `connector.tasks.tidy` does it, where there is a
        beat.
        """
        if not self._has_pruned_silent and not self._is_draining:
            if silent := await leases.prune_silent(self._database):
                log.info("%d workers that had been silent for a day were deleted.", len(silent))
            self._has_pruned_silent = True

    def _drop(self, slot: Slot) -> None:
        """Ends the task of a slot that, as the database says, is no longer ours."""
        if self.tasks[slot].is_done:
            self._forget(slot)
        else:
            self.tasks[slot].stop(hard=True)

    def _forget(self, slot: Slot) -> None:
        del self.tasks[slot]
        self._publisher.forget(slot)
        self._unlaunchable.pop(slot, None)

    async def _reconcile_slot(self, row: Owned) -> None:
        task = self.tasks.get(row.slot)
        is_wanted = row.wanted and not self._is_draining and row.slot not in self._rebalancer.releasing
        if task is not None and task.is_done:
            self._forget(row.slot)
            task = None
        if task is not None:
            # Edited, or claimed anew under another fence: this task ends, and the next round starts another.
            if not is_wanted or (task.spec.generation, task.fence) != (row.generation, row.fence):
                task.stop()
        elif not is_wanted:
            await leases.release(self._database, self._owner, row.slot, row.fence)
            self._rebalancer.releasing.discard(row.slot)
        elif self._unlaunchable.get(row.slot) != row.generation:
            await self._launch(row)

    async def _launch(self, row: Owned) -> None:
        spec = await self._read_spec(row)
        # Reading may have taken longer than the lease.
        if spec is None or not self.keeper.is_valid:
            return
        probe = not row.is_of_older_era
        self.tasks[row.slot] = ServerTask(spec, row.slot, row.fence, self._context, probe=probe)

    async def _read_spec(self, row: Owned) -> LaunchSpec | None:
        """Returns how to launch the server; None if that cannot be read, which is published then."""
        try:
            return await orm.read_spec(row.slot.server_id)
        except DATABASE_ERRORS:
            raise
        except UndecryptableSecret as error:
            log.error("MCP server %s cannot be launched: %s", row.slot, error)
            diagnosis = Diagnosis("start", ExitReason.UNREADABLE_SECRET, told(error))
        # The boundary between one server's row and all others.
        except Exception as error:
            log.exception("MCP server %s cannot be launched as it is stored.", row.slot)
            message = Message("The settings cannot be read: %(error)s.", error=type(error).__name__)
            diagnosis = Diagnosis("start", ExitReason.MISCONFIGURED, message)
        self._unlaunchable[row.slot] = row.generation
        failed = Observation(Phase.BACKOFF, row.generation, error=diagnosis.as_error(timestamp()))
        await leases.publish(self._database, self._owner, row.slot, row.fence, failed)
        return None
