"""A dedicated session: with a server, for one client alone, which the server may ask back during a call.

A shared session cannot ask: nobody could tell whose call it is about. A local server has a process of its own
for each, under the same limits as the shared one.
"""

import asyncio
from collections import deque
from contextlib import AsyncExitStack, suppress
from itertools import count
from typing import Any

from connector.errors import CallFailed, ServerError, SessionLost, innermost
from connector.events import Event, first_of
from connector.host import clock
from connector.leases.observation import Slot
from connector.lifecycle.asking import INVALID_REQUEST, AskingCall, Listener, Unasked
from connector.lifecycle.client_request import ClientRequest, Offered
from connector.lifecycle.connection import Connection
from connector.lifecycle.context import TaskContext
from connector.lifecycle.starting import Start
from connector.lifecycle.unexpected import log_unexpected
from connector.session import Session
from connector.wire.asking import Client
from connector.wire.results import Progress
from core.message import Message
from tools.launch import LaunchSpec

CALLS_AT_ONCE = 32
NOTICES = 16
"""Notifications that wait for the next round of a call."""
ROOTS_WITHIN_S = 60.0
TELL_WITHIN_S = 5.0
IDLE_S = 300.0
"""Without a call, until a session ends."""
_numbers = count(1)


class DedicatedSession:
    """A task of its own opens the session and closes it, as the SDK's sessions demand. See `Asked`."""

    def __init__(
        self, spec: LaunchSpec, slot: Slot, fence: int, client: Client, context: TaskContext
    ) -> None:
        self.client = client
        self.slot = slot
        self.capabilities = client.capabilities
        self._fence = fence
        self._spec = spec
        self._context = context
        self._calls: dict[str, AskingCall] = {}
        self._listed: frozenset[str] = frozenset()
        self._elicited: deque[dict[str, Any]] = deque(maxlen=NOTICES)
        self._telling: set[asyncio.Task[None]] = set()
        self._begun = Event()
        self._ending = Event()
        self._changed = Event()
        self._idle_since = clock()
        marker = f"{context.owner}/{slot}-{next(_numbers)}"
        self._connection = Connection(
            spec, marker=marker, lease_s=context.lease_left_s, monitor=context.monitor
        )
        self._opened: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        self._opened.add_done_callback(lambda opened: opened.exception())  # perhaps nobody waits any more
        self._start = Start(spec, context.starts, lambda _: None)
        give_back = context.caps.take(slot.server_id, client.key_id)
        self._task = asyncio.create_task(self._run(), name=f"dedicated-{slot}")
        self._task.add_done_callback(lambda _: give_back())

    @property
    def is_done(self) -> bool:
        return self._task.done()

    def is_of(self, client: Client) -> bool:
        """Whether it is this client's, and goes on."""
        is_same = (client.key_id, client.session) == (self.client.key_id, self.client.session)
        return is_same and not self._ending.is_set() and not self.is_done

    def find(self, call: str) -> AskingCall | None:
        return self._calls.get(call)

    def begin(self, request: ClientRequest, offered: Offered) -> AskingCall:
        """Raises CallFailed where too many calls wait for answers."""
        if len(self._calls) >= CALLS_AT_ONCE:
            raise CallFailed("overloaded", Message("Too many calls of this client wait at the server."))
        call = AskingCall(self.slot, self._fence, self.client.key_id, self._forget)
        self._calls[call.name] = call
        self._begun.set()
        call.begin(self._request(call, request, offered))
        return call

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Asks the client of the call that began last, as no protocol says which one is meant.

        All of them are of the same client. The question for its roots, which a server asks when they have
        changed, waits for the next call. Raises ServerError.
        """
        while True:
            while calls := list(self._calls.values()):
                running = [call for call in calls if call.listener is not None]
                with suppress(Unasked):
                    return await (running or calls)[-1].ask(method, params)
            self._begun.clear()
            if method == "roots/list":
                await first_of(self._begun, self._ending, within=ROOTS_WITHIN_S)
            if not self._begun.is_set():
                raise ServerError(INVALID_REQUEST, "Nobody can be asked while no request is under way.")

    def tell_roots_changed(self) -> None:
        """Tells the server, if the client has declared that it says so."""
        roots = self.capabilities.get("roots") or {}
        if roots.get("listChanged") and self._opened.done() and self._opened.exception() is None:
            telling = asyncio.create_task(self._tell_roots_changed(self._opened.result()))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    async def _tell_roots_changed(self, session: Session) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_WITHIN_S):
                await session.tell_roots_changed()

    def _hear_elicited(self, params: dict[str, Any]) -> None:
        """Passes a notification on by a call whose client listens, or keeps it for the next round of one."""
        self._elicited.append(params)
        listeners = [call.listener for call in self._calls.values() if call.listener is not None]
        if listeners:
            self.pass_on(listeners[-1])

    def pass_on(self, listener: Listener) -> None:
        """Passes on the notifications that came while no round of a call ran."""
        while self._elicited:
            listener.on_elicited(self._elicited.popleft())

    def heartbeat(self) -> None:
        self._connection.heartbeat(self._context.lease_left_s())

    def end(self, *, hard: bool = False) -> None:
        """Ends it, any number of times. `hard` kills its process at once."""
        self._ending.set()
        self._connection.stop(hard=hard)
        for call in list(self._calls.values()):
            call.cancel()
        # A session that is still opening times out, now.
        self._start.end()

    async def wait(self) -> None:
        await asyncio.wait([self._task])

    async def _request(self, call: AskingCall, request: ClientRequest, offered: Offered) -> dict[str, Any]:
        def report(progress: Progress) -> None:
            if call.listener is not None:
                call.listener.on_progress(progress)

        def log(params: dict[str, Any]) -> None:
            if call.listener is not None:
                call.listener.on_log(params)

        session = await asyncio.shield(self._opened)
        try:
            if request.tool in offered.to_askable:
                await self._require_offered(session, request.name)
            await session.log_from(request.client.log_level)
            with session.logging_to(log):
                as_task = request.tool in offered.as_tasks
                return await session.request(request.method, request.params, report, as_task=as_task)
        except SessionLost as error:
            message = Message("%(server)s ended during the call.", server=self._spec.slug)
            raise CallFailed("session_lost", message) from error

    async def _require_offered(self, session: Session, tool: str) -> None:
        """Raises CallFailed if the server lists a tool only for clients that can be asked for more."""
        if tool in self._listed:
            return
        self._listed = frozenset(each["name"] for each in (await session.list_tools()).tools)
        if tool not in self._listed:
            message = Message(
                "%(server)s does not offer %(tool)s to a client that supports no more than %(supported)s.",
                server=self._spec.slug,
                tool=tool,
                supported=", ".join(sorted(self.capabilities)),
            )
            raise CallFailed("refused", message)

    def _forget(self, call: AskingCall) -> None:
        self._calls.pop(call.name, None)
        self._idle_since = clock()
        self._changed.set()

    async def _run(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                async with self._start.limited(self._connection):
                    opening = self._connection.open(probe=False, asked=self)
                    session = await stack.enter_async_context(opening)
                session.on_elicited(self._hear_elicited)
                self._opened.set_result(session)
                await self._live(session)
                self._connection.stop(hard=False)
        # The boundary to a foreign server and its transport, as for the shared session.
        except Exception as raised:  # noqa: BLE001
            error = innermost(raised)
            log_unexpected(error, f"A dedicated session with MCP server {self._spec.slug}")
            self._fail(self._connection.diagnose(error, stage="start", lived_s=0.0).message)
        finally:
            self._fail(Message("The session with the server has ended."))
            for call in list(self._calls.values()):
                call.cancel()

    def _fail(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(CallFailed("server_unavailable", reason))

    async def _live(self, session: Session) -> None:
        """Returns once it is to end, or nobody has used it for a while."""
        while not self._ending.is_set() and not session.ended.is_set():
            left_s = self._idle_since + (IDLE_S if self.client.session else 0.0) - clock()
            if not self._calls and left_s <= 0:
                return
            self._changed.clear()
            await first_of(
                self._ending, self._changed, session.ended, within=IDLE_S if self._calls else left_s
            )
