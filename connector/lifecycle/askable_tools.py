"""The tools that a server lists only for clients that it can ask back."""

from collections.abc import Iterable, Mapping
from typing import Any

from connector.errors import ServerError, innermost
from connector.leases.observation import Slot
from connector.lifecycle.asking import INVALID_REQUEST
from connector.lifecycle.brief_session import listed
from connector.lifecycle.connection import Connection
from connector.lifecycle.context import TaskContext
from connector.lifecycle.starting import Start
from connector.lifecycle.unexpected import log_unexpected
from connector.wire.asking import ALL
from core.message import Message
from tools.launch import LaunchSpec


class _Anybody:
    """A client that can be asked for everything, and is not there yet. See `Asked`."""

    capabilities = ALL

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        raise ServerError(INVALID_REQUEST, "Nobody can be asked while the tools are listed.")


class AskableTools:
    """They are listed in a session that declares all that clients can be asked for, and that ends at once.

    The session that callers share declares nothing: a server that asks only where it can must go on without
    for callers who have nobody to ask, such as chats.
    """

    def __init__(self, spec: LaunchSpec, slot: Slot, context: TaskContext) -> None:
        self.warnings: tuple[str, ...] = ()
        self._found: list[dict[str, Any]] = []
        self._spec = spec
        self._marker = f"{context.owner}/{slot}-all"
        self._context = context
        self._is_over = False
        self._start: Start | None = None
        self._connection: Connection | None = None

    def beyond(self, tools: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Returns those that are not among `tools`, which every client is offered by now."""
        return _beyond(self._found, tools)

    async def find(self, tools: Iterable[Mapping[str, Any]]) -> None:
        """Lists those that are not among `tools`. If that fails, those of the last time stay, with a warning.

        It is done once for each start of the server: later changes are not noticed.
        """
        if self._is_over:
            return
        context, self.warnings = self._context, ()
        self._start = start = Start(self._spec, context.starts, lambda _: None)
        self._connection = connection = Connection(
            self._spec, marker=self._marker, lease_s=context.lease_left_s, monitor=context.monitor
        )
        try:
            _, found = await listed(connection, start, probe=False, asked=_Anybody())
            self._found = _beyond(found.tools, tools)
        # The boundary to a foreign server and its transport, as for the shared session.
        except Exception as raised:  # noqa: BLE001
            error = innermost(raised)
            log_unexpected(error, f"Listing all tools of MCP server {self._spec.slug}")
            why = connection.diagnose(error, stage="start", lived_s=0.0).message
            told = Message(
                "The tools that it lists only for clients that it can ask back are not known: %(why)s",
                why=why,
            )
            self.warnings = (told,)
        finally:
            self._start = self._connection = None

    def heartbeat(self) -> None:
        if self._connection is not None:
            self._connection.heartbeat(self._context.lease_left_s())

    def end(self, *, hard: bool) -> None:
        """Ends the listing that is under way; there will be no other one."""
        self._is_over = True
        if self._connection is not None:
            self._connection.stop(hard=hard)
        if self._start is not None:
            self._start.end()


def _beyond(found: Iterable[dict[str, Any]], tools: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = {tool["name"] for tool in tools}
    return [tool for tool in found if tool["name"] not in names]
