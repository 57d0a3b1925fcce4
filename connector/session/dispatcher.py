"""The SDK's dispatcher, made tolerant: a broken definition costs one tool, the stream's end sets an event."""

from collections.abc import Mapping
from typing import Any

from mcp.shared.dispatcher import CallOptions, OnRequest
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext

from connector.events import Event
from connector.session.definitions import CAPABILITY_LISTINGS, usable_capabilities, usable_tools
from connector.session.requests import ServerRequests


class TolerantDispatcher(JSONRPCDispatcher[TransportContext]):
    """`ended` is set once the transport has closed; `rejected` names the tools that listings lost.

    `usable` are the tools of the last page that was listed: the same object as long as the page is the same.
    """

    def __init__(self, read_stream: Any, write_stream: Any) -> None:
        super().__init__(read_stream, write_stream)
        self.ended = Event()
        self.rejected: set[str] = set()
        self.protocol_version = ""
        self.usable: list[dict[str, Any]] = []
        self._unusable: set[str] = set()
        self._last_page: dict[str, Any] | None = None

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None, **related: Any
    ) -> dict[str, Any]:
        # The one place between the wire and the SDK's validation, which rejects a listing as a whole.
        result = await super().send_raw_request(method, params, opts, **related)
        if method in CAPABILITY_LISTINGS:
            return usable_capabilities(method, result, self.protocol_version)
        if method != "tools/list":
            return result
        # Health checks list the same tools every 30 s: comparing costs a fraction of validating.
        if result != self._last_page:
            self.usable, self._unusable = usable_tools(result, self.protocol_version)
            self._last_page = result
        self.rejected |= self._unusable
        return {**result, "tools": self.usable}

    async def run(self, on_request: OnRequest, *handlers: Any, **options: Any) -> None:
        """Runs until the stream ends. ServerRequests answers the server's requests instead of the session."""
        try:
            await super().run(ServerRequests().answer, *handlers, **options)
        finally:
            # The SDK's session has no event for the end of the stream.
            self.ended.set()
