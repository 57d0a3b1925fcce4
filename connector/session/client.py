"""One open session with an MCP server, of either protocol era."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from mcp import ClientSession, MCPError
from mcp.client.subscriptions import SubscriptionLost, listen
from mcp.types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    UNSUPPORTED_PROTOCOL_VERSION,
    CallToolRequest,
    CallToolRequestParams,
    GetPromptRequest,
    GetPromptRequestParams,
    Implementation,
    PromptListChangedNotification,
    ReadResourceRequest,
    ReadResourceRequestParams,
    ResourceListChangedNotification,
    ToolListChangedNotification,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from connector.errors import CallFailed, ProtocolMismatch
from connector.events import Event
from connector.session import listing, outcomes
from connector.session.dispatcher import TolerantDispatcher
from connector.session.listing import PAGE_LIMIT, TOOL_LIMIT, Listing, Offers
from connector.session.transports import Streams
from connector.wire.results import CallResult, Progress, PromptResult

CLIENT = Implementation(name="mcp-connector", version="1")
LISTEN_AGAIN_S = 2.0
NO_COMMON_VERSION = "The server speaks no MCP version that is supported."
_RAW: TypeAdapter[Any] = TypeAdapter(dict[str, Any])
_OFFERS_CHANGED = (ResourceListChangedNotification, PromptListChangedNotification)


class Session:
    """`ended` is set when nothing can be called any more.

    `tools_changed` and `offers_changed` are set when the server says so; the latter also at first, because
    nothing but tools is needed to begin with.
    """

    def __init__(self, streams: Streams) -> None:
        self._dispatcher = TolerantDispatcher(*streams)
        self._mcp = ClientSession(
            dispatcher=self._dispatcher, message_handler=self._notice, client_info=CLIENT
        )
        self._is_of_another_era = False
        self._listing: Listing | None = None
        self.ended = self._dispatcher.ended
        self.tools_changed = Event()
        self.offers_changed = Event()
        self.offers_changed.set()

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
        if self._listing is None or not await listing.lists_the_same(self._mcp, self._dispatcher.usable):
            tools, cut = await listing.list_tools(self._mcp)
            self._listing = Listing(tools, self._complaint(cut=cut))
        return self._listing

    async def list_offers(self) -> Offers:
        """Raises SessionLost."""
        return await listing.list_offers(self._mcp)

    async def call(
        self, function: str, arguments: dict[str, Any], on_progress: Callable[[Progress], None] | None
    ) -> CallResult:
        """Cancelling it cancels the request at the server. Raises CallFailed, or SessionLost."""

        async def report(progress: float, total: float | None, message: str | None) -> None:
            if on_progress is not None:
                on_progress(Progress(progress, total, message))

        request = CallToolRequest(params=CallToolRequestParams(name=function, arguments=arguments))
        try:
            wire = await self._ask(request, progress_callback=report if on_progress is not None else None)
        except MCPError as error:
            return outcomes.failed_call(error)
        return outcomes.call_result(wire)

    async def read_resource(self, uri: str) -> list[dict[str, Any]]:
        """Its contents as wire JSON. Raises CallFailed, or SessionLost."""
        request = ReadResourceRequest(params=ReadResourceRequestParams(uri=uri))
        try:
            contents: list[dict[str, Any]] = outcomes.complete(await self._ask(request))["contents"]
        except MCPError as error:
            raise outcomes.failed_read(error) from error
        return contents

    async def get_prompt(self, name: str, arguments: dict[str, str]) -> PromptResult:
        """Raises CallFailed, or SessionLost."""
        request = GetPromptRequest(params=GetPromptRequestParams(name=name, arguments=arguments))
        try:
            return outcomes.prompt_result(await self._ask(request))
        except MCPError as error:
            raise outcomes.failed_read(error) from error

    async def _ask(self, request: Any, **options: Any) -> dict[str, Any]:
        """Raises MCPError or CallFailed."""
        try:
            wire: dict[str, Any] = await self._mcp.send_request(request, _RAW, **options)
        except ValidationError as error:
            raise CallFailed("invalid_result", "The server's answer is no valid MCP result.") from error
        return wire

    async def _greet(self, *, probe: bool) -> None:
        try:
            if not probe or not await self._discover():
                await self._mcp.initialize()
        except MCPError as error:
            if self._is_of_another_era and error.code == METHOD_NOT_FOUND:
                raise ProtocolMismatch(NO_COMMON_VERSION) from error
            raise outcomes.lost(error) from error
        except (RuntimeError, ValidationError) as error:
            raise ProtocolMismatch(NO_COMMON_VERSION) from error
        self._dispatcher.protocol_version = self.protocol_version

    async def _discover(self) -> bool:
        """Whether the server is of the stateless era; whatever else it answers means the older one."""
        try:
            await self._mcp.discover()
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise
            self._is_of_another_era = error.code == UNSUPPORTED_PROTOCOL_VERSION
            return False
        except (RuntimeError, ValidationError):
            self._is_of_another_era = True
            return False
        return True

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
        elif isinstance(message, _OFFERS_CHANGED):
            self.offers_changed.set()

    async def _follow_changes(self) -> None:
        """In the stateless era changes are told only to those who subscribed, and not twice."""
        while self.is_modern:
            try:
                await self._listen()
            except MCPError as error:
                if error.code == METHOD_NOT_FOUND:
                    return
            except (SubscriptionLost, TimeoutError):
                pass
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def _listen(self) -> None:
        async with listen(
            self._mcp, tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True
        ) as subscription:
            self.tools_changed.set()  # nobody listened until now
            self.offers_changed.set()
            async for _ in subscription:
                pass  # `_notice` has heard of it: the SDK tells what comes to either
