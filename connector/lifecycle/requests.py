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
            raise CallFailed("session_lost", f"{self._slug} ended during the call.") from error

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
            raise CallFailed("session_lost", f"{self._slug} has ended.") from error

    def _ready_session(self, method: str, params: dict[str, Any]) -> Session:
        if self.session is None or self.session.ended.is_set():
            raise CallFailed("server_restarting", f"{self._slug} is not ready.")
        if method == "tools/call" and params["name"] not in self.functions:
            raise CallFailed("unknown_tool", f"{self._slug} offers no tool {params['name']}.")
        return self.session
