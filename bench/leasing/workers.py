"""Workers without processes: the product's reconcilers and lease keepers, over servers that do not run.

What they send is what workers send: rounds, claims, renewals, observations and confirmations, with a
connection each for rounds, renewals and notifications. They leave out what a start reads (one query) and what
a server offers (its tools are stored once for each change).
"""

import asyncio
import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from connector import notifications
from connector.events import Event, first_of
from connector.host import clock
from connector.leases.observation import Observation, Slot
from connector.leases.store import Owner
from connector.lifecycle.context import TaskContext
from connector.process.resource_monitor import ResourceMonitor
from connector.states import Phase
from connector.supervisor import orm, reconciler
from connector.supervisor.reconciler import Reconciler
from connector.timings import Timings
from core.database import DATABASE_ERRORS

STARTS_WITHIN_S = 1.0
_pids = itertools.count(1000)


class RunningServer:
    """Stands for a ServerTask: it starts within a second, and is found healthy at every check."""

    tools = capabilities = announced = None
    has_asked_back = False

    def __init__(self, spec: Any, slot: Slot, fence: int, context: TaskContext, **_: Any) -> None:
        self.spec, self.slot, self.fence, self.is_done = spec, slot, fence, False
        self.observation = Observation(Phase.STARTING, spec.generation)
        self._on_change, self._health_s = context.on_change, context.timings.health
        self._later(STARTS_WITHIN_S, self._ready)

    def is_idle(self, *, for_s: float) -> bool:
        return True

    def heartbeat(self) -> None:
        """A shim's, which is not there."""

    def check(self) -> None:
        """Checks come by their own clock."""

    def stop(self, *, hard: bool = False) -> None:
        self.is_done = True
        self._timer.cancel()

    async def wait(self) -> None:
        """It ends at once."""

    def _ready(self) -> None:
        now = clock()
        self.observation = Observation(
            Phase.READY,
            self.spec.generation,
            next(_pids),
            "2025-11-25",
            started=now,
            checked=now,
            healthy=now,
        )
        self._on_change()
        # At a moment of its own: servers do not all start at once.
        self._later(random.uniform(0, self._health_s), self._checked)  # noqa: S311 - no secret

    def _checked(self) -> None:
        now = clock()
        self.observation = self.observation.then(Phase.READY, checked=now, healthy=now)
        self._later(self._health_s, self._checked)

    def _later(self, within_s: float, action: Any) -> None:
        self._timer = asyncio.get_running_loop().call_later(within_s, action)


@contextmanager
def without_processes() -> Iterator[None]:
    """Has reconcilers start nothing."""

    async def read_spec(server_id: int) -> Any:
        return SimpleNamespace(generation=1, server_id=server_id)

    with (
        patch.object(reconciler, "ServerTask", RunningServer),
        patch.object(orm, "read_spec", read_spec),
    ):
        yield


class IdleWorker:
    """One worker on a host of its own. `rounds`: how often it has compared what should run with what runs."""

    def __init__(self, number: int, timings: Timings) -> None:
        name = f"{number}-bench"
        self.owner = Owner(name, f"mcp@host{number}", f"host{number}", "/nowhere", f"10.0.0.1:{number}")
        self.rounds = 0
        self._timings = timings
        self._dirty = Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.reconciler = Reconciler(self.owner, self._timings, ResourceMonitor(), self._dirty.set)
        loops = (
            self.reconciler.keeper.renew_for_ever(),
            self.reconciler.keeper.fence_for_ever(),
            notifications.listen(self._dirty.set, self.reconciler.check),
            self._reconcile_for_ever(),
        )
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def vanish(self) -> None:
        """Ends as by a power cut: nothing is released."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self.reconciler.tasks.values():
            server.stop(hard=True)

    async def _reconcile_for_ever(self) -> None:
        # Not all at the same moment, as on hosts that were started one after the other.
        await asyncio.sleep(random.uniform(0, self._timings.poll))  # noqa: S311 - no secret
        while True:
            self._dirty.clear()
            try:
                await self.reconciler.reconcile()
                self.rounds += 1
            except DATABASE_ERRORS:
                await asyncio.sleep(self._timings.poll)
            await first_of(self._dirty, within=self._timings.poll)
