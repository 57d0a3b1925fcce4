"""One open session with an MCP server, of either protocol era.

The older era (up to 2025-11-25) opens a session by `initialize`; the stateless one (2026-07-28) knows
`server/discover` instead, and reports changes only to those who subscribe to them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Any, Self

from mcp import MCPError
from mcp.client.subscriptions import SubscriptionLost, listen
from mcp.types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    UNSUPPORTED_PROTOCOL_VERSION,
    Implementation,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    RootsListChangedNotification,
    ToolListChangedNotification,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from connector.errors import CallFailed, ProtocolMismatch, ServerError
from connector.events import Event
from connector.session import listing, outcomes, tasks, traces
from connector.session.dispatcher import TolerantDispatcher
from connector.session.listing import Capabilities, Listing
from connector.session.log_streams import LOG, PREFIX, request_of
from connector.session.requests import Asked
from connector.session.resource_updates import ResourceUpdates
from connector.session.transports import Streams
from connector.session.wire_session import WireSession
from connector.wire.asking import ELICITED, NOBODY, Client
from connector.wire.results import Progress
from core.message import Message

CLIENT = Implementation(name="mcp-connector", version="1")
OnNotice = Callable[[dict[str, Any]], None]
RESUBSCRIBE_S = 2.0
PROBE_PATIENCE_S = 10.0
"""How long an unanswered `server/discover` is waited for before `initialize` is tried as well."""
_log_numbers = count(1)
NO_COMMON_VERSION = Message("The server speaks no MCP version that is supported.")
_CAPABILITIES_CHANGED = (ResourceListChangedNotification, PromptListChangedNotification)


class Session:
    """`ended` is set when nothing can be called any more.

    `tools_changed` and `capabilities_changed` are set when the server reports a change. The latter is set
    from the start: a server is ready once its tools are known, its resources and prompts are listed later.
    """

    def __init__(self, streams: Streams, asked: Asked | None = None) -> None:
        self._dispatcher = TolerantDispatcher(*streams, asked)
        declared = asked.capabilities if asked is not None else {}
        self._mcp = WireSession(
            self._dispatcher, declared, message_handler=self._on_message, client_info=CLIENT
        )
        self._dispatcher.heard[LOG] = self._log
        self._loggers: dict[str, OnNotice] = {}
        self._is_own = asked is not None
        self._log_level = ""
        self._updates = ResourceUpdates(self._mcp)
        self._refused_discovery = False
        self._listing: Listing | None = None
        self.ended = self._dispatcher.ended
        self.tools_changed = Event()
        self.capabilities_changed = Event()
        self.capabilities_changed.set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, streams: Streams, *, probe: bool = True, asked: Asked | None = None
    ) -> AsyncIterator[Self]:
        """Opens a session. `probe=False` skips `server/discover`, for a server of the older era.

        `asked`: the one client that it is for, if the server may ask it back.

        Raises ProtocolMismatch, SessionLost, or what the transport raises. The SDK's task groups demand that
        the same task enters and leaves it.
        """
        session = cls(streams, asked)
        async with session._mcp:
            await session._handshake(probe=probe)
            subscription = asyncio.create_task(session._follow_changes())
            try:
                yield session
            finally:
                subscription.cancel()
                await asyncio.gather(subscription, session._updates.close(), return_exceptions=True)

    @property
    def protocol_version(self) -> str:
        return self._mcp.protocol_version or ""

    @property
    def is_modern(self) -> bool:
        return self.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def announced(self) -> dict[str, Any]:
        """What the server says of itself: `{capabilities, serverInfo, instructions}`, as far as it does."""
        mcp = self._mcp
        parts = {"capabilities": mcp.server_capabilities, "serverInfo": mcp.server_info}
        told = {
            name: part.model_dump(mode="json", by_alias=True, exclude_none=True)
            for name, part in parts.items()
            if part is not None
        }
        return {**told, **({"instructions": mcp.instructions} if mcp.instructions else {})}

    async def list_tools(self) -> Listing:
        """Lists the tools, every page, within bounds. Raises SessionLost.

        It is the health check, too: the one round trip that each era and each server knows.
        """
        self._dispatcher.rejected.clear()
        if self._listing is None or not await listing.has_only_page(self._mcp, self._dispatcher.usable):
            tools, is_cut = await listing.list_tools(self._mcp)
            self._listing = Listing(tools, listing.warning(self._dispatcher.rejected, is_cut=is_cut))
        return self._listing

    async def list_capabilities(self) -> Capabilities:
        """Raises SessionLost."""
        return await listing.list_capabilities(self._mcp)

    def on_asked_back(self, call: Callable[[], None]) -> None:
        """Has `call` called when the server asks, although the session is shared and nobody can answer."""
        self._dispatcher.on_asked_back = call

    def on_elicited(self, call: OnNotice) -> None:
        """Has `call` called with the params of `notifications/elicitation/complete`."""
        self._dispatcher.heard[ELICITED] = call

    async def tell_roots_changed(self) -> None:
        """Tells a server of the older era that its client has other roots than before."""
        await self._mcp.send_notification(RootsListChangedNotification())

    async def log_from(self, level: str) -> None:
        """Has a server of the older era log from this level on. That it refuses is no matter."""
        announced = self._mcp.server_capabilities
        if level and level != self._log_level and announced is not None and announced.logging is not None:
            with suppress(MCPError):
                await self._mcp.send_wire("logging/setLevel", {"level": level})
                self._log_level = level

    @contextmanager
    def logging_to(self, on_log: OnNotice) -> Iterator[str]:
        """Inside the block `on_log` gets the log messages about a request with the id that this yields.

        Messages that do not tell are for the one who wants any. Where several callers do, they are for the
        last one if the session is one client's, else for nobody.
        """
        request_id = f"{PREFIX}{next(_log_numbers)}"
        self._loggers[request_id] = on_log
        try:
            yield request_id
        finally:
            del self._loggers[request_id]

    async def request(
        self,
        method: str,
        params: dict[str, Any],
        on_progress: Callable[[Progress], None],
        client: Client = NOBODY,
        *,
        request_id: str = "",
        as_task: bool = False,
    ) -> dict[str, Any]:
        """Returns a server's result as wire JSON; cancelling this cancels the request at the server.

        `as_task`: the tool runs as a task only. Raises ServerError, CallFailed, SessionLost.
        """

        async def report(progress: float, total: float | None, message: str | None) -> None:
            on_progress(Progress(progress, total, message))

        try:
            with traces.of_request(method, params, self.protocol_version) as traced:
                if as_task and tasks.are_offered(self._mcp):
                    return await tasks.call(self._mcp, traced, report)
                return await self._mcp.send_wire(method, traced, report, client, request_id=request_id)
        except MCPError as error:
            outcomes.require_session(error)
            raise ServerError(error.code, error.message, error.data) from error
        except ValidationError as error:
            raise CallFailed(
                "invalid_result", Message("The server's answer is no valid MCP result.")
            ) from error

    def resource_updates(self, uri: str) -> AbstractAsyncContextManager[Event]:
        """See `ResourceUpdates.listening`."""
        return self._updates.listening(uri, is_modern=self.is_modern)

    async def _handshake(self, *, probe: bool) -> None:
        """Raises ProtocolMismatch, or SessionLost."""
        try:
            if not probe:
                await self._mcp.initialize()
            else:
                await self._negotiate()
        except MCPError as error:
            # It refused our version of `server/discover` and knows no `initialize`: it is of a later version.
            if self._refused_discovery and error.code == METHOD_NOT_FOUND:
                raise ProtocolMismatch(NO_COMMON_VERSION) from error
            raise outcomes.lost(error) from error
        # The SDK raises RuntimeError for a version that it does not support.
        except (RuntimeError, ValidationError) as error:
            raise ProtocolMismatch(NO_COMMON_VERSION) from error
        self._dispatcher.protocol_version = self.protocol_version

    async def _negotiate(self) -> None:
        """Opens the session in the era that the server answers in. Raises what the SDK raises."""
        probe = asyncio.create_task(self._discover())
        initialization: asyncio.Task[Any] | None = None
        try:
            await asyncio.wait([probe], timeout=PROBE_PATIENCE_S)
            if probe.done() and probe.result():
                return
            # No answer so far: the server is still starting, or ignores requests that it does not know.
            initialization = asyncio.create_task(self._mcp.initialize())
            await asyncio.wait([probe, initialization], return_when=asyncio.FIRST_COMPLETED)
            # The stateless era refuses `initialize`, and may do so before it answers the late probe.
            if initialization.done() and initialization.exception() is None:
                return
            if not await probe:
                await initialization
        finally:
            tasks = [task for task in (probe, initialization) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _discover(self) -> bool:
        """Whether the server is of the stateless era. Any answer but a right one means the older era."""
        try:
            await self._mcp.discover()
        except MCPError as error:
            # Some servers end at a request that they do not know: there is nobody left to initialize.
            if error.code == CONNECTION_CLOSED:
                raise
            self._refused_discovery = error.code == UNSUPPORTED_PROTOCOL_VERSION
            return False
        except (RuntimeError, ValidationError):
            self._refused_discovery = True
            return False
        return True

    def _log(self, params: dict[str, Any]) -> None:
        logger = self._loggers.get(request_of(params))
        if logger is None and (len(self._loggers) == 1 or self._is_own):
            logger = next(reversed(self._loggers.values()), None)
        if logger is not None:
            logger(params)

    async def _on_message(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.tools_changed.set()
        elif isinstance(message, _CAPABILITIES_CHANGED):
            self.capabilities_changed.set()
        elif isinstance(message, ResourceUpdatedNotification) and not self.is_modern:
            self._updates.report(message.params.uri)

    async def _follow_changes(self) -> None:
        """Subscribes to changes in the stateless era, again and again: a subscription does not resume."""
        while self.is_modern:
            try:
                await self._subscribe()
            except MCPError as error:
                # The server offers no subscriptions: the health check finds changes, up to 30 s later.
                if error.code == METHOD_NOT_FOUND:
                    return
            except (SubscriptionLost, TimeoutError):
                pass
            await asyncio.sleep(RESUBSCRIBE_S)

    async def _subscribe(self) -> None:
        async with listen(
            self._mcp, tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True
        ) as subscription:
            # What changed before the server acknowledged the subscription was reported to nobody.
            self.tools_changed.set()
            self.capabilities_changed.set()
            async for _ in subscription:
                pass  # `_on_message` has been called for it: the SDK gives each change to both
