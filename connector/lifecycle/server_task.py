"""One owned slot: a single asyncio task spawns the server, opens the session, checks it and closes it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from connector.errors import CallFailed, SessionExpired, SessionLost, Unresponsive, innermost
from connector.events import Event, first_of
from connector.host import clock, timestamp
from connector.leases.observation import Observation, Slot
from connector.lifecycle.call_limiter import CallGate
from connector.lifecycle.connection import Connection
from connector.lifecycle.failures import ExitClass, Failure
from connector.process.resource_monitor import ResourceMonitor
from connector.session import Listing, Offers, Session
from connector.states import SERVING, Phase, Restarts
from connector.timings import Timings
from connector.wire.results import CallResult, Progress, PromptResult
from tools.launch import LaunchSpec

log = logging.getLogger(__name__)

T = TypeVar("T")
REFRESH_DEBOUNCE_S = 0.3
MISSES_ALLOWED = 1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a task needs of its supervisor. `lease_left`: seconds until the guard must kill."""

    owner: str
    timings: Timings
    lease_left: Callable[[], float]
    starting: asyncio.Semaphore
    monitor: ResourceMonitor
    changed: Callable[[], None]


class ServerTask:
    """After each `changed`, `catalogue` (wire JSON) and `offers` are to be recorded, then `seen` published.

    That a check found nothing new is no change: `seen` then waits until somebody looks.

    `probe=False`: the server is known to be of the older protocol era.
    """

    def __init__(
        self, spec: LaunchSpec, slot: Slot, fence: int, around: Surroundings, *, probe: bool
    ) -> None:
        self.spec = spec
        self.slot = slot
        self.fence = fence
        self.seen = Observation(Phase.CLAIMED, spec.generation)
        self.catalogue: list[dict[str, Any]] | None = None
        self.offers: Offers | None = None
        self._around = around
        self._probe = probe
        self._restarts = Restarts()
        self._gate = CallGate()
        self._session: Session | None = None
        self._functions: frozenset[str] = frozenset()
        self._connection: Connection | None = None
        self._opening: asyncio.Timeout | None = None
        self._began = clock()
        self._stage = "start"
        self._misses = 0
        self._silent_since = self._began
        self._lost: SessionLost | None = None
        self._stopping = Event()
        self._killed = Event()
        self._attention = Event()
        self._task = asyncio.create_task(self._run(), name=f"server-{slot}")

    @property
    def is_done(self) -> bool:
        return self._task.done()

    def is_unused(self, *, for_s: float) -> bool:
        """Whether it serves calls, and nobody made any lately."""
        return self.seen.phase in SERVING and self._gate.unused_s >= for_s

    async def wait(self) -> None:
        await asyncio.wait([self._task])

    def stop(self, *, hard: bool = False) -> None:
        """Ask it to end: calls may finish within the drain; `hard` kills at once."""
        self._gate.close()
        self._stopping.set()
        self._attention.set()
        if hard:
            self._killed.set()
        if self._connection is not None:
            self._connection.stop(hard=hard)
        if self._opening is not None and not self._opening.expired():
            self._opening.reschedule(asyncio.get_running_loop().time())

    def beat(self) -> None:
        """Pass on that the lease was renewed."""
        if self._connection is not None and not self._killed.is_set():
            self._connection.beat(self._around.lease_left())

    def check(self) -> None:
        """Have the health checked now."""
        self._attention.set()

    async def call(
        self,
        function: str,
        arguments: dict[str, Any],
        *,
        timeout_s: float,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> CallResult:
        """Raises CallFailed, at the latest after `timeout_s`."""

        async def call(session: Session) -> CallResult:
            if function not in self._functions:
                raise CallFailed("unknown_tool", f"{self.spec.slug} offers no tool {function}.")
            return await session.call(function, arguments, on_progress)

        return await self._ask(call, function, timeout_s)

    async def read_resource(self, uri: str, *, timeout_s: float) -> list[dict[str, Any]]:
        """As `call`."""
        return await self._ask(lambda session: session.read_resource(uri), uri, timeout_s)

    async def get_prompt(self, name: str, arguments: dict[str, str], *, timeout_s: float) -> PromptResult:
        """As `call`."""
        return await self._ask(lambda session: session.get_prompt(name, arguments), name, timeout_s)

    async def _ask(self, work: Callable[[Session], Awaitable[T]], name: str, timeout_s: float) -> T:
        try:
            async with asyncio.timeout(timeout_s), self._gate:
                if self._session is None or self._session.ended.is_set():
                    raise CallFailed("server_restarting", f"{self.spec.slug} is not ready.")
                answer = await work(self._session)
                self._misses = 0
                return answer
        except TimeoutError as error:
            raise CallFailed("tool_timeout", f"{name} did not answer within {timeout_s:g} s.") from error
        except SessionLost as error:
            self._lost = error
            self._attention.set()
            raise CallFailed("session_lost", f"{self.spec.slug} ended during the call.") from error

    # --- the task -----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while failure := await self._live():
            log.warning("MCP server %s: %s", self.spec.slug, failure.message)
            lived_s = clock() - self._began if self._stage == "run" else 0.0
            phase, delay = self._restarts.after_exit(failure.prospect, now=clock(), lived_s=lived_s)
            error, last_exit = failure.as_error(timestamp()), failure.as_last_exit()
            self._see(phase, pid=None, restarts=self._restarts.count, error=error, last_exit=last_exit)
            await first_of(self._stopping, within=delay)
            if self._stopping.is_set():
                break
        self._see(Phase.STOPPING, pid=None)

    async def _live(self) -> Failure | None:
        """One life of the server: why it ended, or None when it was stopped on purpose."""
        self._began, self._stage, self._misses, self._lost = clock(), "start", 0, None
        self._see(Phase.STARTING)
        mark = f"{self._around.owner}/{self.slot}"
        self._connection = connection = Connection(
            self.spec, mark=mark, lease_s=self._around.lease_left, monitor=self._around.monitor
        )
        error: BaseException | None = None
        try:
            await self._live_on(connection)
        except Exception as raised:  # noqa: BLE001 - however a server ends, it is explained below
            error = innermost(raised)
        finally:
            self._session = self._connection = None
        if self._stopping.is_set():
            return None
        if self._stage == "start" and isinstance(error, SessionLost):
            self._probe = not self._probe  # some servers end at a request of the era that they do not know
        self.seen = replace(self.seen, stderr_tail=connection.stderr_tail)
        return connection.explain(error, stage=self._stage, lived_s=clock() - self._began)

    async def _live_on(self, connection: Connection) -> None:
        async with AsyncExitStack() as stack:
            session, listing = await self._open(connection, stack)
            self._stage, self._session = "run", session
            pid = connection.process.pid if connection.process is not None else None
            self._healthy(listing, pid=pid, protocol_version=session.protocol_version, started=clock())
            try:
                await self._tend(session)
            finally:
                self._session = None

    async def _open(self, connection: Connection, stack: AsyncExitStack) -> tuple[Session, Listing]:
        try:
            async with asyncio.timeout(None) as self._opening, self._around.starting:
                now = asyncio.get_running_loop().time()
                self._opening.reschedule(now if self._stopping.is_set() else now + self.spec.start_timeout_s)
                session = await stack.enter_async_context(connection.open(probe=self._probe))
                return session, await session.list_tools()
        finally:
            self._opening = None

    async def _tend(self, session: Session) -> None:
        """Until it is to stop. Raises SessionLost or Unresponsive."""
        while not self._stopping.is_set():
            await self._list_offers(session)
            changes = session.tools_changed, session.offers_changed
            await first_of(session.ended, *changes, self._attention, within=self._around.timings.health)
            if any(change.is_set() for change in changes):
                await first_of(session.ended, self._stopping, within=REFRESH_DEBOUNCE_S)
                session.tools_changed.clear()
            self._attention.clear()
            if session.ended.is_set():
                raise SessionLost("The server closed the connection.")
            if isinstance(self._lost, SessionExpired):
                raise self._lost
            if not self._stopping.is_set():
                await self._check(session)
        await first_of(self._gate.empty, self._killed, session.ended, within=self._around.timings.drain)

    async def _list_offers(self, session: Session) -> None:
        """If they may have changed. What is not listed in time stays as it was: tools are what counts."""
        if not session.offers_changed.is_set():
            return
        session.offers_changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._around.timings.health_deadline):
                self.offers = await session.list_offers()
        self._see(self.seen.phase)
        self._around.changed()

    async def _check(self, session: Session) -> None:
        try:
            async with asyncio.timeout(self._around.timings.health_deadline):
                listing = await session.list_tools()
        except TimeoutError:
            self._missed()
        else:
            self._healthy(listing)

    def _healthy(self, listing: Listing, **changes: Any) -> None:
        self._misses = 0
        self._functions = frozenset(tool["name"] for tool in listing.tools)
        if listing.tools != self.catalogue:
            self.catalogue = listing.tools
            self._around.changed()
        error = None
        if listing.complaint:
            error = Failure("tools", ExitClass.INVALID_TOOLS, listing.complaint).as_error(timestamp())
        phase = Phase.DEGRADED if error else Phase.READY
        self._see(phase, checked=clock(), healthy=clock(), error=error, **changes)

    def _missed(self) -> None:
        """A busy server may be slow to answer: it is given up once nothing from before keeps it busy."""
        self._misses += 1
        if self._misses == 1:
            self._silent_since = clock()
        message = (
            f"The server did not answer a health check within {self._around.timings.health_deadline:g} s."
        )
        if self._misses > MISSES_ALLOWED and not self._gate.inside_since(self._silent_since):
            if self._connection is not None:
                self._connection.stop(hard=True)  # it does not answer: asking it to end is in vain
            raise Unresponsive(message)
        error = Failure("run", ExitClass.UNRESPONSIVE, message).as_error(timestamp())
        self._see(Phase.DEGRADED, checked=clock(), error=error)

    def _see(self, phase: Phase, **changes: Any) -> None:
        before, self.seen = self.seen, self.seen.then(phase, **changes)
        if not self.seen.confirms(before):
            self._around.changed()
