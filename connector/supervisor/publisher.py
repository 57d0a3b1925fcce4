"""The publisher writes what a worker observes of its servers, once for each change."""

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
        """Writes what is new of each task's server."""
        confirmed: dict[Slot, tuple[int, Observation]] = {}
        # A copy: while this waits for the database the reconciler's tasks may change.
        for slot, task in list(tasks.items()):
            await self._recorder.record_asking(slot, task)
            observation, before = task.observation, self._published.get(slot)
            if observation is before:
                continue
            # Tools before the phase: whoever reads that a server is ready can find its tools.
            await self._recorder.record(slot, task)
            if before is not None and observation.confirms(before):
                confirmed[slot] = task.fence, observation
            else:
                await leases.publish(self._database, self._owner, slot, task.fence, observation)
                self._published[slot] = observation
        if confirmed:
            for slot in await leases.confirm(self._database, self._owner, confirmed):
                self._published[slot] = confirmed[slot][1]

    def forget(self, slot: Slot) -> None:
        """Forgets what was published of a slot that is no longer ours."""
        self._recorder.forget(slot)
        self._published.pop(slot, None)
