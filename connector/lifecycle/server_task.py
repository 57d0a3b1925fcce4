"""One owned slot: a single asyncio task starts the server, opens the session, checks it, and closes it.

In one task, because the SDK's sessions must be entered and left by the same one.
"""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

from connector.errors import SessionExpired, SessionLost, Unresponsive, innermost
from connector.events import Event, first_of
from connector.host import clock, timestamp
from connector.leases.observation import Observation, Slot
from connector.lifecycle.askable_tools import AskableTools
from connector.lifecycle.cache_repair import CacheRepair
from connector.lifecycle.client_request import Offered
from connector.lifecycle.connection import Connection
from connector.lifecycle.context import TaskContext
from connector.lifecycle.dedicated import DedicatedSessions
from connector.lifecycle.diagnosis import Diagnosis, ExitReason, warning
from connector.lifecycle.refreshes import RefreshPace
from connector.lifecycle.requests import Requests
from connector.lifecycle.starting import Start
from connector.lifecycle.unexpected import count_exit, log_unexpected
from connector.session import Capabilities, Listing, Session
from connector.states import SERVING, Phase, RestartSchedule
from core.message import Message
from tools.launch import LaunchSpec

log = logging.getLogger(__name__)

MISSES_ALLOWED = 1


class ServerTask:
    """Runs one server until it is stopped. `tools` (JSON) and `capabilities` are None until listed.

    `announced`: what the server said of itself when it was reached last. `has_asked_back`: it asked its
    client, although the session is shared. After each `on_change` these are to be recorded, and then
    `observation` published: readers of a ready server must find its tools. A check that finds nothing new
    updates `observation` without calling it.

    `probe=False`: the server is known to be of the older protocol era.
    """

    def __init__(
        self, spec: LaunchSpec, slot: Slot, fence: int, context: TaskContext, *, probe: bool
    ) -> None:
        self.spec = spec
        self.slot = slot
        self.fence = fence
        self.observation = Observation(Phase.CLAIMED, spec.generation)
        self.tools: list[dict[str, Any]] | None = None
        self.capabilities: Capabilities | None = None
        self.announced: dict[str, Any] | None = None
        self._context = context
        self._probe = probe
        self._restarts = RestartSchedule()
        self._askable = AskableTools(spec, slot, context)
        dedicated = DedicatedSessions(spec, slot, fence, context)
        self.requests = Requests(spec.slug, dedicated, on_answer=self._answered, on_lost=self._note_loss)
        self.has_asked_back = False
        self._connection: Connection | None = None
        self._starting: Start | None = None
        self._began = clock()
        self._stage = "start"
        self._misses, self._logged = 0, ""
        self._unanswered_since = self._began
        self._lost: SessionLost | None = None
        self._pace = RefreshPace()
        self._cache_repair = CacheRepair()
        self._stopping, self._killed, self._check_now = Event(), Event(), Event()
        self._task = asyncio.create_task(self._run(), name=f"server-{slot}")

    @property
    def is_ending(self) -> Event:
        """Set once it was asked to end."""
        return self._stopping

    @property
    def is_done(self) -> bool:
        return self._task.done()

    def is_idle(self, *, for_s: float) -> bool:
        """Whether it serves, and a move would disturb nobody: see `Requests.are_idle`."""
        return self.observation.phase in SERVING and self.requests.are_idle(for_s=for_s)

    async def wait(self) -> None:
        """Returns when the task is done."""
        await asyncio.wait([self._task])

    def stop(self, *, hard: bool = False) -> None:
        """Asks it to end: calls may finish within the drain; `hard` kills at once. Any number of times."""
        self.requests.limiter.close()
        self._stopping.set()
        self._check_now.set()
        if hard:
            self._killed.set()
            self.requests.dedicated.end(hard=True)
        if self._connection is not None:
            self._connection.stop(hard=hard)
        # A start that is under way ends by its time-out, which is now.
        if self._starting is not None:
            self._starting.end()
        self._askable.end(hard=hard)

    def heartbeat(self) -> None:
        """Passes on to the shim that the lease was renewed."""
        # Not to one that is being killed: it would get time that it must not have.
        if self._connection is not None and not self._killed.is_set():
            self._connection.heartbeat(self._context.lease_left_s())
        if not self._killed.is_set():
            self.requests.dedicated.heartbeat()
            self._askable.heartbeat()

    def check(self) -> None:
        """Checks the server's health now."""
        self._check_now.set()

    def _answered(self) -> None:
        self._misses = 0  # whatever its last health check found

    def _note_asked_back(self) -> None:
        if not self.has_asked_back:
            self.has_asked_back = True
            self._context.on_change()

    def _note_loss(self, error: SessionLost) -> None:
        # Now, and not at the next health check: callers wait for the restart.
        self._lost = error
        self._check_now.set()

    async def _run(self) -> None:
        try:
            await self._run_until_stopped()
        finally:
            await self.requests.dedicated.close()
        self._observe(Phase.STOPPING, pid=None)

    async def _run_until_stopped(self) -> None:
        while diagnosis := await self._run_once():
            count_exit(self.spec.slug, diagnosis)
            if diagnosis.reason != self._logged:  # not at each retry of a server that stays broken
                self._logged = diagnosis.reason
                log.warning("MCP server %s: %s", self.spec.slug, diagnosis.message)
            lived_s = clock() - self._began if self._stage == "run" else 0.0
            phase, delay_s = self._restarts.after_exit(diagnosis.restart_policy, now=clock(), lived_s=lived_s)
            error, last_exit = diagnosis.as_error(timestamp()), diagnosis.as_last_exit()
            self._observe(phase, pid=None, restarts=self._restarts.count, error=error, last_exit=last_exit)
            await first_of(self._stopping, within=delay_s)
            if self._stopping.is_set():
                return

    async def _run_once(self) -> Diagnosis | None:
        """Runs the server until it ends. Returns why it did; None when it was stopped on purpose."""
        self._began, self._stage, self._misses, self._lost = clock(), "start", 0, None
        self._observe(Phase.STARTING)
        context = self._context
        marker = f"{context.owner}/{self.slot}"
        self._connection = connection = Connection(
            self.spec, marker=marker, lease_s=context.lease_left_s, monitor=context.monitor
        )
        error: BaseException | None = None
        try:
            await self._serve(connection)
        # The boundary to a foreign server and its transport: whatever it raises is diagnosed below.
        except Exception as raised:  # noqa: BLE001
            error = innermost(raised)
            log_unexpected(error, f"MCP server {self.spec.slug}")
        finally:
            self.requests.session = self._connection = None
        if self._stopping.is_set():
            return None
        # Some servers end at `server/discover`, which the older era does not know: the next start skips it.
        # A server that demands a login, or speaks neither era, has said nothing about its era.
        if self._stage == "start" and type(error) is SessionLost and not connection.is_refused:
            self._probe = not self._probe
        self.observation = replace(self.observation, stderr_tail=connection.stderr_tail)
        diagnosis = connection.diagnose(error, stage=self._stage, lived_s=clock() - self._began)
        return await self._cache_repair.after(connection, diagnosis)

    async def _serve(self, connection: Connection) -> None:
        async with AsyncExitStack() as stack:
            session, listing = await self._start(connection, stack)
            self._stage, self.requests.session, self._logged = "run", session, ""
            self.announced = session.announced
            session.on_asked_back(self._note_asked_back)
            pid = connection.process.pid if connection.process is not None else None
            version = session.protocol_version
            self._record_health(listing, pid=pid, protocol_version=version, started=clock())
            try:
                await self._watch(session)
            finally:
                # Calls must not find a session whose end the stack is waiting for.
                self.requests.session = None

    async def _start(self, connection: Connection, stack: AsyncExitStack) -> tuple[Session, Listing]:
        """Opens the session and lists the tools, within the server's start time-out."""
        before = self.observation.error  # shown again when a start that had to wait goes on

        def report(wait: Diagnosis | None) -> None:
            self._observe(Phase.STARTING, error=wait.as_error(timestamp()) if wait is not None else before)

        self._starting = start = Start(self.spec, self._context.starts, report)
        if self._stopping.is_set():
            start.end()
        try:
            async with start.limited(connection):
                session = await stack.enter_async_context(connection.open(probe=self._probe))
                listing = await session.list_tools()
        finally:
            self._starting = None
        # A stateless server is told with each request what its client can be asked for.
        if self.spec.asks_back and not session.is_modern:
            await self._askable.find(listing.tools)
        return session, listing

    async def _watch(self, session: Session) -> None:
        """Checks the health and follows changes until it is to stop. Raises SessionLost or Unresponsive."""
        while not self._stopping.is_set():
            await self._list_capabilities(session)
            changes = session.tools_changed, session.capabilities_changed
            await first_of(session.ended, *changes, self._check_now, within=self._context.timings.health)
            if any(change.is_set() for change in changes):
                await first_of(session.ended, self._stopping, self._check_now, within=self._pace.wait_s())
                session.tools_changed.clear()
            self._check_now.clear()
            if session.ended.is_set():
                raise SessionLost(Message("The server closed the connection."))
            if isinstance(self._lost, SessionExpired):
                raise self._lost
            if not self._stopping.is_set():
                await self._check(session)
        # The drain: calls in flight may finish.
        await first_of(
            self.requests.limiter.idle, self._killed, session.ended, within=self._context.timings.drain
        )

    async def _list_capabilities(self, session: Session) -> None:
        """Lists them if they may have changed. A time-out leaves them as they were: tools matter more."""
        if not session.capabilities_changed.is_set():
            return
        session.capabilities_changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._context.timings.health_deadline):
                self.capabilities = await session.list_capabilities()
        if self.observation.phase == Phase.READY:
            self._observe(Phase.READY, error=self._warning())
        self._context.on_change()

    async def _check(self, session: Session) -> None:
        try:
            async with asyncio.timeout(self._context.timings.health_deadline):
                listing = await session.list_tools()
        except TimeoutError:
            self._record_miss()
        else:
            self._record_health(listing)

    def _record_health(self, listing: Listing, **changes: Any) -> None:
        self._misses = 0
        to_askable = self._askable.beyond(listing.tools)
        self.requests.offered = Offered.of(listing.tools, to_askable)
        if (tools := [*listing.tools, *to_askable]) != self.tools:
            self.tools = tools
            self._context.on_change()
        phase = Phase.DEGRADED if listing.warning else Phase.READY
        error = self._warning(listing.warning)
        self._observe(phase, checked=clock(), healthy=clock(), error=error, **changes)

    def _warning(self, about_tools: str = "") -> dict[str, Any] | None:
        others = self.capabilities.warnings if self.capabilities is not None else ()
        found = warning(about_tools, (*others, *self._askable.warnings))
        return found.as_error(timestamp()) if found is not None else None

    def _record_miss(self) -> None:
        """Counts a health check without an answer. Raises Unresponsive when the server is given up."""
        self._misses += 1
        if self._misses == 1:
            self._unanswered_since = clock()
        seconds = f"{self._context.timings.health_deadline:g}"
        message = Message("The server did not answer a health check within %(seconds)s s.", seconds=seconds)
        # A server that works on a call may be slow to answer. One that began before the first miss excuses
        # it; later ones do not, or a hung server that is called often would never be restarted.
        is_busy = self.requests.limiter.has_call_from_before(self._unanswered_since)
        if self._misses > MISSES_ALLOWED and not is_busy:
            if self._connection is not None:
                # A server that does not answer would not end by being asked to.
                self._connection.stop(hard=True)
            raise Unresponsive(message)
        error = Diagnosis("run", ExitReason.UNRESPONSIVE, message).as_error(timestamp())
        self._observe(Phase.DEGRADED, checked=clock(), error=error)

    def _observe(self, phase: Phase, **changes: Any) -> None:
        before, self.observation = self.observation, self.observation.then(phase, **changes)
        # Times alone are published in bulk at the next poll: 200 health checks must not wake the reconciler.
        if not self.observation.confirms(before):
            self._context.on_change()
