"""One open session with an MCP server, of either protocol era."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from mcp import ClientSession, MCPError
from mcp.client.subscriptions import SubscriptionLost, listen
from mcp.types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    CallToolRequest,
    CallToolRequestParams,
    Implementation,
    PaginatedRequestParams,
    ToolListChangedNotification,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from connector.errors import CallFailed, ProtocolMismatch, SessionLost
from connector.results import CallResult, Progress
from connector.session.dispatcher import TolerantDispatcher
from connector.session.limits import OUTPUT_TOO_LARGE, TOO_LARGE_TEXT
from connector.session.transports import Streams

PAGE_LIMIT = 50
TOOL_LIMIT = 500
CLIENT = Implementation(name="mcp-connector", version="1")
_RAW: TypeAdapter[Any] = TypeAdapter(dict[str, Any])
_SESSION_GONE = "Session terminated"  # how the SDK words HTTP 404 on a session


@dataclass(frozen=True, slots=True)
class Listing:
    """A server's tools as wire JSON. `complaint` tells people what was left out; empty when nothing was."""

    tools: list[dict[str, Any]]
    complaint: str = ""


class Session:
    """`ended` is set when nothing can be called any more, `tools_changed` when the server says so."""

    def __init__(self, streams: Streams) -> None:
        self._dispatcher = TolerantDispatcher(*streams)
        self._mcp = ClientSession(
            dispatcher=self._dispatcher, message_handler=self._notice, client_info=CLIENT
        )
        self.ended = self._dispatcher.ended
        self.tools_changed = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, streams: Streams, *, probe: bool = True) -> AsyncIterator[Self]:
        """Connected and greeted. `probe=False` skips `server/discover`: the server is of the older era.

        Raises ProtocolMismatch, SessionLost, or what the transport raises. Enter and leave it in one task.
        """
        session = cls(streams)
        async with session._mcp:
            await session._greet(probe=probe)
            follower = asyncio.create_task(session._follow_changes())
            try:
                yield session
            finally:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)

    @property
    def protocol_version(self) -> str:
        return self._mcp.protocol_version or ""

    @property
    def is_modern(self) -> bool:
        return self.protocol_version in MODERN_PROTOCOL_VERSIONS

    async def list_tools(self) -> Listing:
        """Every page, within bounds. Also the health check: a round trip that each era and each server has.

        Raises SessionLost.
        """
        self._dispatcher.refused.clear()
        tools, cursor = await self._list_page(None)
        for _ in range(PAGE_LIMIT - 1):
            if cursor is None or len(tools) > TOOL_LIMIT:
                break
            page, following = await self._list_page(cursor)
            tools += page
            if following == cursor:
                break
            cursor = following
        cut = len(tools) > TOOL_LIMIT or cursor is not None
        return Listing(tools[:TOOL_LIMIT], self._complaint(cut=cut))

    async def call(
        self, function: str, arguments: dict[str, Any], on_progress: Callable[[Progress], None] | None
    ) -> CallResult:
        """Cancelling it cancels the request at the server. Raises CallFailed, or SessionLost."""

        async def report(progress: float, total: float | None, message: str | None) -> None:
            if on_progress is not None:
                on_progress(Progress(progress, total, message))

        request = CallToolRequest(params=CallToolRequestParams(name=function, arguments=arguments))
        try:
            result = await self._mcp.send_request(
                request, _RAW, progress_callback=report if on_progress is not None else None
            )
        except MCPError as error:
            return _failed_call(error)
        except ValidationError as error:
            raise CallFailed("invalid_result", "The server's answer is no valid MCP result.") from error
        return _as_result(result)

    async def _greet(self, *, probe: bool) -> None:
        try:
            if not probe or not await self._discover():
                await self._mcp.initialize()
        except MCPError as error:
            raise _lost(error) from error
        except (RuntimeError, ValidationError) as error:
            raise ProtocolMismatch("The server speaks no MCP version that is supported.") from error
        self._dispatcher.protocol_version = self.protocol_version

    async def _discover(self) -> bool:
        """Whether the server is of the stateless era; whatever else it answers means the older one."""
        try:
            await self._mcp.discover()
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise
            return False
        except (RuntimeError, ValidationError):
            return False
        return True

    async def _list_page(self, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        try:
            page = await self._mcp.list_tools(params=PaginatedRequestParams(cursor=cursor))
        except MCPError as error:
            if error.code == METHOD_NOT_FOUND:
                return [], None
            raise _lost(error) from error
        except ValidationError as error:
            raise SessionLost("The server's list of tools is no valid MCP result.") from error
        tools = [tool.model_dump(mode="json", by_alias=True, exclude_unset=True) for tool in page.tools]
        return tools, page.next_cursor

    def _complaint(self, *, cut: bool) -> str:
        refused = sorted(self._dispatcher.refused)
        complaints = []
        if refused:
            complaints.append(f"Tools with an invalid definition were left out: {', '.join(refused[:5])}.")
        if cut:
            complaints.append(f"Only the first {TOOL_LIMIT} tools, or {PAGE_LIMIT} pages, are offered.")
        return " ".join(complaints)

    async def _notice(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.tools_changed.set()

    async def _follow_changes(self) -> None:
        """In the stateless era changes are told only to those who subscribed."""
        if self.is_modern:
            with suppress(MCPError, SubscriptionLost, TimeoutError):
                async with listen(self._mcp, tools_list_changed=True) as subscription:
                    async for _ in subscription:
                        self.tools_changed.set()


def _lost(error: MCPError) -> SessionLost:
    if error.code == CONNECTION_CLOSED:
        return SessionLost("The server closed the connection.")
    return SessionLost(f"The server answered with an error: {error.message[:200]}")


def _failed_call(error: MCPError) -> CallResult:
    """An error that the server gives for this call is a result for the model to read."""
    if error.code == CONNECTION_CLOSED or error.message == _SESSION_GONE:
        raise SessionLost("The server ended during the call.") from error
    if error.code == OUTPUT_TOO_LARGE or (error.code == PARSE_ERROR and TOO_LARGE_TEXT in error.message):
        raise CallFailed("output_too_large", "The tool's result is too large.") from error
    return CallResult([{"type": "text", "text": error.message}], None, is_error=True)


def _as_result(wire: dict[str, Any]) -> CallResult:
    if wire.get("resultType", "complete") != "complete":
        raise CallFailed("invalid_result", "The tool asks for input, which cannot be given here.")
    return CallResult(
        wire.get("content", []), wire.get("structuredContent"), is_error=bool(wire.get("isError"))
    )
