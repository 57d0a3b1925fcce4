"""What servers ask of us: a ping is answered, all else refused, and a flood is not answered at all."""

import asyncio
from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.shared.dispatcher import DispatchContext
from mcp.shared.transport_context import TransportContext
from mcp.types import METHOD_NOT_FOUND

ANSWERS_A_SECOND = 50


class Refusals:
    """Sampling would spend tokens, elicitation and roots need somebody whose call it is: nobody can tell."""

    def __init__(self) -> None:
        self._second = 0
        self._answers = 0

    async def answer(
        self, context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Raises MCPError, which the dispatcher sends."""
        if not self._has_room():
            context.cancel_requested.set()  # the dispatcher answers nothing then
            return {}
        if method == "ping":
            return {}
        raise MCPError(METHOD_NOT_FOUND, "Method not found", method[:128])

    def _has_room(self) -> bool:
        second = int(asyncio.get_running_loop().time())
        self._answers = self._answers + 1 if second == self._second else 1
        self._second = second
        return self._answers <= ANSWERS_A_SECOND
