"""The rebalancer gives servers to workers that have fewer: gently, a few at a time, and only idle ones."""

import logging
import math
from collections.abc import Mapping

from connector.host import clock
from connector.leases import store as leases
from connector.leases.observation import Slot
from connector.leases.store import Owner
from connector.lifecycle.server_task import ServerTask
from connector.timings import Timings

log = logging.getLogger(__name__)

MOVES_AT_ONCE = 4
CLAIMS_A_SECOND = 20
"""Of all workers together, where there are more than FEW_WORKERS."""
FEW_WORKERS = 10


def between_claims_s(workers: int) -> float:
    """Returns for how many seconds a worker claims nothing after a claim. So few workers claim at any time.

    Each change of a phase wakes every worker: the claims of a hundred would fill a core of PostgreSQL.
    """
    return 0.0 if workers <= FEW_WORKERS else workers / CLAIMS_A_SECOND


def surplus(*, held: int, slots: int, workers: int) -> int:
    """Returns how many slots a worker holds over its share, if that is over a third more than it; else 0.

    Without the third two workers would pass servers to and fro with every server that comes or goes.
    """
    share = math.ceil(slots / max(1, workers))
    return held - share if 3 * held > 4 * share else 0


class Rebalancer:
    """`releasing` are the slots that this worker gives up, `workers` how many there were a cooldown ago."""

    def __init__(
        self, database: leases.Database, owner: Owner, timings: Timings, tasks: Mapping[Slot, ServerTask]
    ) -> None:
        self.releasing: set[Slot] = set()
        self.workers = 1
        self._database = database
        self._owner = owner
        self._timings = timings
        self._tasks = tasks
        # Not at once: after a restart of all workers the first to start holds everything for a moment.
        self._next_round = clock() + timings.cooldown

    async def rebalance(self) -> None:
        """Stops a few idle servers if this worker has too many, once a cooldown. Raises DATABASE_ERRORS."""
        if clock() < self._next_round:
            return
        self._next_round = clock() + self._timings.cooldown
        load = await leases.load(self._database, self._owner, lease_s=self._timings.lease)
        self.workers, over = load["workers"], surplus(**load)
        idle = [slot for slot, task in self._tasks.items() if task.is_idle(for_s=self._timings.cooldown)]
        for slot in idle[: min(over, MOVES_AT_ONCE)]:
            log.info("MCP server %s is left to a worker that has fewer.", slot)
            self.releasing.add(slot)
            self._tasks[slot].stop()
