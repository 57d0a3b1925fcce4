"""The requests that one server gets: at most so many at once, each within its deadline."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from connector.errors import CallFailed, SessionLost
from connector.events import Event
from connector.lifecycle.call_limiter import CallLimiter
from connector.session import Session
from connector.wire.deadline import Deadline
from connector.wire.results import Progress, name_of
from core.message import Message


class Requests:
    """`session` is None while the server does not serve; `functions` are the tools that it listed last.

    `on_answer` is called after each answer, `on_lost` when the session turns out to be lost.
    """

    def __init__(
        self, slug: str, *, on_answer: Callable[[], None], on_lost: Callable[[SessionLost], None]
    ) -> None:
        self.limiter = CallLimiter()
        self.session: Session | None = None
        self.functions: frozenset[str] = frozenset()
        self._slug = slug
        self._on_answer = on_answer
        self._on_lost = on_lost

    async def send(
        self, method: str, params: dict[str, Any], deadline: Deadline, on_progress: Callable[[Progress], None]
    ) -> dict[str, Any]:
        """Returns the server's result as it is. Raises CallFailed and ServerError.

        The wait for a permit counts: the caller's deadline does not care where the time goes. Progress puts
        it off.
        """

        def report(progress: Progress) -> None:
            deadline.put_off()
            on_progress(progress)

        try:
            async with deadline, self.limiter:
                answer = await self._ready_session(method, params).request(method, params, report)
                self._on_answer()
                return answer
        except TimeoutError as error:
            raise CallFailed("tool_timeout", deadline.missed_by(name_of(method, params))) from error
        except SessionLost as error:
            self._on_lost(error)
            message = Message("%(server)s ended during the call.", server=self._slug)
            raise CallFailed("session_lost", message) from error

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
