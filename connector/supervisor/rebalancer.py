"""Gives servers up to workers that have fewer: gently, a few at a time, and only those that nobody uses."""

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


def surplus(*, held: int, slots: int, workers: int) -> int:
    """How many of `slots` a worker holds over its share, if that is over a third more than it; else 0."""
    share = math.ceil(slots / max(1, workers))
    return held - share if 3 * held > 4 * share else 0


class Spreader:
    """`leaving` are the slots that this worker is giving up. A round has an effect every `quiet` seconds."""

    def __init__(
        self, database: leases.Database, owner: Owner, timings: Timings, tasks: Mapping[Slot, ServerTask]
    ) -> None:
        self.leaving: set[Slot] = set()
        self._database = database
        self._owner = owner
        self._timings = timings
        self._tasks = tasks
        self._next_round = clock() + timings.quiet

    async def round(self) -> None:
        """Raises DATABASE_ERRORS."""
        if clock() < self._next_round:
            return
        self._next_round = clock() + self._timings.quiet
        over = surplus(**await leases.load(self._database, self._owner, lease_s=self._timings.lease))
        unused = [slot for slot, task in self._tasks.items() if task.is_unused(for_s=self._timings.quiet)]
        for slot in unused[: min(over, MOVES_AT_ONCE)]:
            log.info("MCP server %s is left to a worker that has fewer.", slot)
            self.leaving.add(slot)
            self._tasks[slot].stop()
