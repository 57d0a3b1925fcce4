"""The dedicated sessions with one server: of the clients that it may ask back, each has its own."""

import asyncio
from typing import Any

from connector.errors import CallFailed
from connector.leases.observation import Slot
from connector.lifecycle.asking import AskingCall, Listener
from connector.lifecycle.client_request import ClientRequest, Offered
from connector.lifecycle.context import TaskContext
from connector.lifecycle.dedicated_session import DedicatedSession
from connector.wire.asking import Client
from core.message import Message
from tools.launch import LaunchSpec


class DedicatedSessions:
    """The dedicated sessions with one server, in the slot of a server task."""

    def __init__(self, spec: LaunchSpec, slot: Slot, fence: int, context: TaskContext) -> None:
        self._spec = spec
        self._slot = slot
        self._fence = fence
        self._context = context
        self._sessions: list[DedicatedSession] = []

    @property
    def are_open(self) -> bool:
        self._drop_ended()
        return bool(self._sessions)

    async def request(self, request: ClientRequest, offered: Offered, listener: Listener) -> dict[str, Any]:
        """Raises CallFailed, ServerError, and AskedBack."""
        session = self._session(request.client)
        call = session.begin(request, offered)
        session.pass_on(listener)
        return await call.round(listener)

    async def resume(self, call: str, responses: dict[str, Any], listener: Listener) -> dict[str, Any]:
        """Goes on with a call that asked. Raises as `request`."""
        session, found = self._call(call)
        session.pass_on(listener)
        found.answer(responses)
        return await found.round(listener)

    def give_up(self, call: str) -> None:
        self._call(call)[1].cancel()

    def heartbeat(self) -> None:
        for session in self._sessions:
            session.heartbeat()

    def end(self, *, of_client: str = "", hard: bool = False) -> None:
        """Ends those of one client's session, by its name, or all."""
        for session in self._sessions:
            if of_client in {"", session.client.session}:
                session.end(hard=hard)

    def tell_roots_changed(self, *, of_client: str) -> None:
        """Tells the server in the sessions of one client's session, by its name."""
        for session in self._sessions:
            if session.client.session == of_client:
                session.tell_roots_changed()

    async def close(self) -> None:
        """Ends them all; returns once nothing of them runs any more."""
        while self._sessions:
            self.end()
            await asyncio.gather(*(session.wait() for session in self._sessions))
            self._drop_ended()

    def _drop_ended(self) -> None:
        self._sessions = [each for each in self._sessions if not each.is_done]

    def _call(self, name: str) -> tuple[DedicatedSession, AskingCall]:
        found = next(((each, call) for each in self._sessions if (call := each.find(name))), None)
        if found is None:
            message = Message(
                "The call has ended: it waited too long for an answer, or its server was restarted."
            )
            raise CallFailed("refused", message)
        return found

    def _session(self, client: Client) -> DedicatedSession:
        self._drop_ended()
        known = [each for each in self._sessions if client.session and each.is_of(client)]
        if known:
            return known[0]
        session = DedicatedSession(self._spec, self._slot, self._fence, client, self._context)
        self._sessions.append(session)
        return session
