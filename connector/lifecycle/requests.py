"""The requests that one server gets: at most so many at once, each within its deadline."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from connector.errors import CallFailed, SessionLost
from connector.events import Event
from connector.lifecycle.asking import Listener
from connector.lifecycle.call_limiter import CallLimiter
from connector.lifecycle.client_request import ClientRequest, Offered
from connector.lifecycle.dedicated import DedicatedSessions
from connector.session import Session
from connector.wire.deadline import Deadline
from connector.wire.results import Progress
from core.message import Message


class Requests:
    """`session`, which all callers share, is None while the server does not serve.

    `offered` are the tools that it listed last. `on_answer` is called after each answer of this session,
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
        self.offered = Offered()
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
                return await self._answer(request, replace(listener, on_progress=report))
        except TimeoutError as error:
            raise CallFailed("tool_timeout", deadline.missed_by(request.name)) from error
        except SessionLost as error:
            self._on_lost(error)
            message = Message("%(server)s ended during the call.", server=self._slug)
            raise CallFailed("session_lost", message) from error

    async def _answer(self, request: ClientRequest, listener: Listener) -> dict[str, Any]:
        if request.parked:
            return await self.dedicated.resume(request.parked, request.responses, listener)
        session, client = self._ready_session(request.tool), request.client
        if request.tool in self.offered.to_askable and not client.capabilities:
            told = Message(
                "%(server)s offers %(tool)s only to clients that it can ask back. This one cannot be asked.",
                server=self._slug,
                tool=request.name,
            )
            raise CallFailed("refused", told)
        is_own = request.tool in self.offered.to_askable or (
            request.asks_back and (client.capabilities or client.log_level)
        )
        if is_own and not session.is_modern and request.method != "completion/complete":
            return await self.dedicated.request(request, self.offered, listener)
        result = await self._of_all(session, request, listener)
        self._on_answer()
        return result

    async def _of_all(self, session: Session, request: ClientRequest, listener: Listener) -> dict[str, Any]:
        sent = request.method, request.params, listener.on_progress, request.client
        # The older era does not say whose request a log message is about.
        if not session.is_modern or not request.client.log_level:
            return await session.request(*sent, as_task=request.tool in self.offered.as_tasks)
        with session.logging_to(listener.on_log) as request_id:
            return await session.request(*sent, request_id=request_id)

    @asynccontextmanager
    async def resource_updates(self, uri: str) -> AsyncIterator[tuple[Event, Event]]:
        """Yields an event that each update of a resource sets, and the one after which none comes.

        Raises CallFailed and ServerError.
        """
        session = self._ready_session()
        try:
            async with session.resource_updates(uri) as updated:
                yield updated, session.ended
        except SessionLost as error:
            message = Message("%(server)s has ended.", server=self._slug)
            raise CallFailed("session_lost", message) from error

    def _ready_session(self, tool: str | None = None) -> Session:
        if self.session is None or self.session.ended.is_set():
            message = Message("%(server)s is not ready.", server=self._slug)
            raise CallFailed("server_restarting", message)
        if tool is not None and tool not in self.offered.to_all | self.offered.to_askable:
            message = Message("%(server)s offers no tool %(tool)s.", server=self._slug, tool=tool)
            raise CallFailed("unknown_tool", message)
        return self.session
