"""Requests of servers to us: a ping is answered, what a client can be asked is asked, all else is refused."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mcp import MCPError
from mcp.shared.dispatcher import DispatchContext
from mcp.shared.transport_context import TransportContext
from mcp.types import INVALID_PARAMS, METHOD_NOT_FOUND

from connector.errors import ServerError
from connector.wire.asking import CAPABILITIES, problem

ANSWERS_A_SECOND = 50


class Asked(Protocol):
    """The client of a session that is its own: what it declares, and how it is asked."""

    @property
    def capabilities(self) -> Mapping[str, Any]: ...

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Returns the client's result. Raises ServerError with the error that the server gets instead."""


class ServerRequests:
    """Without `asked` the session is shared by all callers of a server, and nobody can be asked.

    Sampling would spend a caller's tokens, and nobody can tell on whose behalf the server asks. It is told
    so, and `on_asked_back` is called. A flood is mostly ignored.
    """

    def __init__(self, asked: Asked | None, on_asked_back: Callable[[], None]) -> None:
        self._asked = asked
        self._on_asked_back = on_asked_back
        self._second = 0
        self._answers = 0

    async def answer(
        self, context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Answers one request. Raises MCPError, which the dispatcher sends as the answer."""
        if not self._is_within_rate():
            # The dispatcher sends no answer to a cancelled request. Each answer is a write to the server, and
            # a server that floods us does not read fast enough.
            context.cancel_requested.set()
            return {}
        if method == "ping":
            return {}
        if method not in CAPABILITIES:
            raise MCPError(METHOD_NOT_FOUND, "Method not found", method[:128])
        return await self._ask(method, dict(params or {}))

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        capability = CAPABILITIES[method]
        if self._asked is None:
            self._on_asked_back()
        if self._asked is None or capability not in self._asked.capabilities:
            raise MCPError(METHOD_NOT_FOUND, f"{capability} not supported", method)
        if told := problem(method, params, self._asked.capabilities):
            raise MCPError(INVALID_PARAMS, str(told))
        try:
            return await self._asked.ask(method, params)
        except ServerError as error:
            raise MCPError(error.code, error.message, error.data) from error

    def _is_within_rate(self) -> bool:
        second = int(asyncio.get_running_loop().time())
        self._answers = self._answers + 1 if second == self._second else 1
        self._second = second
        return self._answers <= ANSWERS_A_SECOND
