"""Publishes what a worker sees of its servers, once for each change."""

from collections.abc import Mapping

from connector.leases import store as leases
from connector.leases.observation import Observation, Slot
from connector.leases.store import Owner
from connector.lifecycle.server_task import ServerTask
from connector.supervisor.recorder import Recorder


class Publisher:
    """Raises DATABASE_ERRORS. What was not published is tried again the next time."""

    def __init__(self, database: leases.Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner
        self._recorder = Recorder()
        self._published: dict[Slot, Observation] = {}

    async def publish(self, tasks: Mapping[Slot, ServerTask]) -> None:
        """Tools before phase: who sees a server as ready can find what it offers."""
        confirmed: dict[Slot, tuple[int, Observation]] = {}
        for slot, task in list(tasks.items()):
            seen, before = task.seen, self._published.get(slot)
            if seen is before:
                continue
            await self._recorder.record(slot, task)
            if before is not None and seen.confirms(before):
                confirmed[slot] = task.fence, seen
            else:
                await leases.publish(self._database, self._owner, slot, task.fence, seen)
                self._published[slot] = seen
        if confirmed:
            for slot in await leases.confirm(self._database, self._owner, confirmed):
                self._published[slot] = confirmed[slot][1]

    def forget(self, slot: Slot) -> None:
        self._recorder.forget(slot)
        self._published.pop(slot, None)
