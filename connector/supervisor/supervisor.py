"""The supervisor runs the MCP servers of a worker in one thread with one event loop. It knows no Celery."""

import asyncio
import logging
import threading
from collections.abc import Callable

import uvloop
from django.conf import settings

from connector import notifications
from connector.data_plane import server
from connector.errors import CallFailed
from connector.events import Event, first_of
from connector.host import host_id
from connector.leases.observation import Slot
from connector.leases.store import Owner
from connector.lifecycle.dedicated import DedicatedSessions
from connector.lifecycle.server_task import ServerTask
from connector.process import orphans
from connector.process.resource_monitor import ResourceMonitor
from connector.supervisor.reconciler import Reconciler
from connector.timings import Timings
from core import tracing
from core.database import DATABASE_ERRORS
from core.message import Message

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.5
REFUSE_S = 0.5
"""Between the release of the last server and the end of the data plane."""


class Supervisor:
    """`start`, `begin_drain` and `stop` are for any thread. `on_death` runs if the thread fails."""

    def __init__(
        self,
        node: str,
        *,
        timings: Timings | None = None,
        bind: str | None = None,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self.node = node
        self.name = orphans.new_owner_name()
        self.timings = timings or Timings.from_settings()
        self._bind = settings.CONNECTOR_HOST_BIND if bind is None else bind
        self._on_death = on_death
        self._heartbeats = 0
        self._has_ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reconciler: Reconciler | None = None
        self._dirty = Event()
        self._drained = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._main, name="mcp-supervisor", daemon=True)

    def start(self) -> None:
        """Returns when the supervisor can be stopped, or has failed."""
        self._thread.start()
        self._started.wait()

    @property
    def heartbeats(self) -> int | None:
        """Grows as long as the loop turns; None once it has ended as it should. For the watchdog."""
        return None if self._has_ended else self._heartbeats

    def begin_drain(self) -> None:
        """Claims nothing more; lets calls end within the drain, then stops and releases everything."""
        self._call_in_loop(lambda: self._drain(hard=False))

    def stop(self, *, hard: bool = False) -> bool:
        """Drains, or kills at once if `hard`. Returns whether all is gone, within `timings.shutdown`."""
        self._call_in_loop(lambda: self._drain(hard=hard))
        self._thread.join(self.timings.shutdown)
        return not self._thread.is_alive()

    # --- in the thread ------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._run())
            self._has_ended = True
        # Whatever ends the loop, cancellation included: without it the servers have no owner in this process.
        except BaseException:
            log.critical("The supervisor of MCP servers failed.", exc_info=True)
            self._on_death()
        finally:
            self._started.set()

    def _call_in_loop(self, action: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._beat(self._loop)
        # Before anything is claimed: a server of a dead owner may still run here.
        await asyncio.to_thread(orphans.kill_orphans)
        monitor = ResourceMonitor()
        serving = server.serving(self._find, self._dedicated, monitor, name=self.name, bind=self._bind)
        async with tracing.lifespan(), serving as (socket, address):
            owner = Owner(self.name, self.node, host_id(), socket, address)
            self._reconciler = Reconciler(owner, self.timings, monitor, self._dirty.set)
            self._started.set()
            try:
                await self._supervise(self._reconciler, monitor)
            finally:
                await self._reconciler.close()
            # Callers may not know yet that the servers have moved: they are refused, and try the next owner.
            # A connection that closes under a request would look like a call that may have run.
            await asyncio.sleep(REFUSE_S)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heartbeats += 1
        loop.call_later(HEARTBEAT_S, self._beat, loop)

    async def _supervise(self, reconciler: Reconciler, monitor: ResourceMonitor) -> None:
        """Runs every loop until the worker is drained. Raises what a loop raises that ends before."""
        work = (
            reconciler.keeper.renew_for_ever(),
            reconciler.keeper.fence_for_ever(),
            monitor.run(),
            notifications.listen(self._dirty.set, reconciler.check),
            self._reconcile_for_ever(reconciler),
            self._kill_orphans_for_ever(),
        )
        loops = [asyncio.create_task(coroutine) for coroutine in work]
        drained = asyncio.create_task(self._drained.wait())
        try:
            done, _ = await asyncio.wait([drained, *loops], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (drained, *loops):
                task.cancel()
            await asyncio.gather(drained, *loops, return_exceptions=True)
            await reconciler.kill_all()

    async def _reconcile_for_ever(self, reconciler: Reconciler) -> None:
        while True:
            # Before the round: a change during it is for the next one.
            self._dirty.clear()
            try:
                await reconciler.reconcile()
            except DATABASE_ERRORS as error:
                log.info("A round of reconciling found no database (%s).", type(error).__name__)
            # The boundary of a round: the next one may succeed, and the servers that run are better left
            # alone.
            except Exception:
                log.exception("A round of reconciling failed.")
            if reconciler.is_drained:
                self._drained.set()
            await first_of(self._dirty, within=self.timings.poll)

    async def _kill_orphans_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.timings.orphan_scan)
            if killed := await asyncio.to_thread(orphans.kill_orphans):
                log.warning("%d processes of MCP servers without an owner were killed.", killed)

    def _find(self, slot: Slot, fence: int) -> ServerTask:
        if self._reconciler is None:
            raise CallFailed("stale_fence", Message("The worker is starting."))
        return self._reconciler.find(slot, fence)

    def _dedicated(self) -> list[DedicatedSessions]:
        tasks = self._reconciler.tasks.values() if self._reconciler is not None else ()
        return [task.requests.dedicated for task in tasks]

    def _drain(self, *, hard: bool) -> None:
        if self._reconciler is None:
            self._drained.set()
        else:
            self._reconciler.drain(hard=hard)
            self._dirty.set()
