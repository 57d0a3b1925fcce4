"""The requests that one server gets: at most so many at once, each within its deadline."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connector.errors import CallFailed, SessionLost
from connector.events import Event
from connector.lifecycle.asking import Listener
from connector.lifecycle.call_limiter import CallLimiter
from connector.lifecycle.dedicated import DedicatedSessions
from connector.session import Session
from connector.wire.asking import NOBODY, Client
from connector.wire.deadline import Deadline
from connector.wire.results import Progress, name_of
from core.message import Message


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """`asks_back`: of the server. `parked` and `responses` go on with a call that waits for an answer."""

    method: str
    params: dict[str, Any]
    client: Client = NOBODY
    asks_back: bool = False
    parked: str = ""
    responses: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return name_of(self.method, self.params)


class Requests:
    """`session`, which all callers share, is None while the server does not serve.

    `functions` are the tools that it listed last. `on_answer` is called after each answer of this session,
    `on_lost` when it turns out to be lost.
    """

    def __init__(
        self,
        slug: str,
        dedicated: DedicatedSessions,
        *,
        on_answer: Callable[[], None],
        on_lost: Callable[[SessionLost], None],
    ) -> None:
        self.dedicated = dedicated
        self.limiter = CallLimiter()
        self.session: Session | None = None
        self.functions: frozenset[str] = frozenset()
        self._slug = slug
        self._on_answer = on_answer
        self._on_lost = on_lost

    def are_idle(self, *, for_s: float) -> bool:
        """Whether there was none for so many seconds, and no client has a session of its own."""
        return self.limiter.idle_s >= for_s and not self.dedicated.are_open

    async def send(self, request: ClientRequest, deadline: Deadline, listener: Listener) -> dict[str, Any]:
        """Returns the server's result as it is. Raises CallFailed, ServerError and AskedBack.

        The wait for a permit counts: the caller's deadline does not care where the time goes. Progress puts
        it off.
        """

        def report(progress: Progress) -> None:
            deadline.put_off()
            listener.on_progress(progress)

        try:
            async with deadline, self.limiter:
                return await self._answer(request, Listener(report, listener.on_log))
        except TimeoutError as error:
            raise CallFailed("tool_timeout", deadline.missed_by(request.name)) from error
        except SessionLost as error:
            self._on_lost(error)
            message = Message("%(server)s ended during the call.", server=self._slug)
            raise CallFailed("session_lost", message) from error

    async def _answer(self, request: ClientRequest, listener: Listener) -> dict[str, Any]:
        if request.parked:
            return await self.dedicated.resume(request.parked, request.responses, listener)
        session, client = self._ready_session(request.method, request.params), request.client
        is_own = request.asks_back and (client.capabilities or client.log_level)
        is_asking = is_own and request.method != "completion/complete"
        if is_asking and not session.is_modern:
            return await self.dedicated.request(client, request.method, request.params, listener)
        result = await self._of_all(session, request, listener)
        self._on_answer()
        return result

    async def _of_all(self, session: Session, request: ClientRequest, listener: Listener) -> dict[str, Any]:
        sent = request.method, request.params, listener.on_progress, request.client
        # The older era does not say whose request a log message is about.
        if not session.is_modern or not request.client.log_level:
            return await session.request(*sent)
        with session.logging_to(listener.on_log) as request_id:
            return await session.request(*sent, request_id=request_id)

    @asynccontextmanager
    async def resource_updates(self, uri: str) -> AsyncIterator[tuple[Event, Event]]:
        """Yields an event that each update of a resource sets, and the one after which none comes.

        Raises CallFailed and ServerError.
        """
        session = self._ready_session("resources/subscribe", {})
        try:
            async with session.resource_updates(uri) as updated:
                yield updated, session.ended
        except SessionLost as error:
            message = Message("%(server)s has ended.", server=self._slug)
            raise CallFailed("session_lost", message) from error

    def _ready_session(self, method: str, params: dict[str, Any]) -> Session:
        if self.session is None or self.session.ended.is_set():
            message = Message("%(server)s is not ready.", server=self._slug)
            raise CallFailed("server_restarting", message)
        if method == "tools/call" and params["name"] not in self.functions:
            message = Message("%(server)s offers no tool %(tool)s.", server=self._slug, tool=params["name"])
            raise CallFailed("unknown_tool", message)
        return self.session
