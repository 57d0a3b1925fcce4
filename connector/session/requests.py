"""Requests of servers to us: a ping is answered, everything else is refused, a flood is mostly ignored."""

import asyncio
from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.shared.dispatcher import DispatchContext
from mcp.shared.transport_context import TransportContext
from mcp.types import METHOD_NOT_FOUND

ANSWERS_A_SECOND = 50


class ServerRequests:
    """Refuses sampling, which would spend a caller's tokens, and elicitation and roots, which need a user.

    A session is shared by all callers of a server: nobody can tell on whose behalf the server asks.
    """

    def __init__(self) -> None:
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
        raise MCPError(METHOD_NOT_FOUND, "Method not found", method[:128])

    def _is_within_rate(self) -> bool:
        second = int(asyncio.get_running_loop().time())
        self._answers = self._answers + 1 if second == self._second else 1
        self._second = second
        return self._answers <= ANSWERS_A_SECOND
