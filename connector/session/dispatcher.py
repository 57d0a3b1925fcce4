"""The SDK's dispatcher, made tolerant: a broken definition costs one tool, the stream's end sets an event."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from mcp.shared.dispatcher import CallOptions, OnNotify, OnNotifyIntercept, OnRequest
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext
from mcp.types import CLIENT_CAPABILITIES_META_KEY, CONNECTION_CLOSED, PARSE_ERROR, ErrorData, RequestId

from connector.events import Event
from connector.session.challenges import INSUFFICIENT_SCOPE
from connector.session.definitions import CAPABILITY_LISTINGS, usable_capabilities, usable_tools
from connector.session.limits import OUTPUT_TOO_LARGE
from connector.session.requests import Asked, ServerRequests
from connector.session.streamable_http import Outgoing
from connector.session.unreadable import BY_TRANSPORT, UNREADABLE_TEXT, answered_request, error_for
from connector.wire.asking import ALL, without_notices

DISCOVER = "server/discover"
SERVER_ERROR = -32099
"""In place of a server's own code: JSON-RPC 2.0 leaves -32000 to -32099 to implementations."""
_TRANSPORTS = {CONNECTION_CLOSED, PARSE_ERROR, OUTPUT_TOO_LARGE, INSUFFICIENT_SCOPE}


class TolerantDispatcher(JSONRPCDispatcher[TransportContext]):
    """`ended` is set once the transport has closed; `rejected` names the tools that listings lost.

    `usable` are the tools of the last page that was listed: the same object as long as the page is the same.
    """

    def __init__(self, read_stream: Any, write_stream: Any, asked: Asked | None = None) -> None:
        super().__init__(read_stream, write_stream, on_stream_exception=self._on_unreadable)
        self.ended = Event()
        self.rejected: set[str] = set()
        self.protocol_version = ""
        self.usable: list[dict[str, Any]] = []
        self._unusable: set[str] = set()
        self._last_page: dict[str, Any] | None = None
        self._asked = asked
        self.on_asked_back: Callable[[], None] = _ignore
        self.heard: dict[str, Callable[[dict[str, Any]], None]] = {}
        """By the method of a notification, what gets its params as they are: the SDK's models drop some."""

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None, **related: Any
    ) -> dict[str, Any]:
        if method == DISCOVER:
            # The SDK gives up after 10 s, which a server that is still starting may take: see `Session`.
            opts = cast(CallOptions, {**(opts or {}), "timeout": None})
        if method == "tools/list":
            params = _of_anybody(params)
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

    async def _on_unreadable(self, error: Exception) -> None:
        """Called by the older HTTP+SSE transport for a message that it cannot read."""
        request_id = answered_request(error)
        if request_id is not None:
            super()._resolve_pending(request_id, error_for(request_id, PARSE_ERROR, UNREADABLE_TEXT).error)

    def _resolve_pending(self, request_id: RequestId | None, outcome: dict[str, Any] | ErrorData) -> None:
        """Resolves a request. A server's own error never has a code by which we know the transport's."""
        if isinstance(outcome, ErrorData) and outcome.data != BY_TRANSPORT and outcome.code in _TRANSPORTS:
            outcome = outcome.model_copy(update={"code": SERVER_ERROR})
        super()._resolve_pending(request_id, outcome)

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        **options: Any,
    ) -> None:
        """Runs until the stream ends. ServerRequests answers the server's requests instead of the session."""

        def intercept(method: str, params: Mapping[str, Any] | None) -> bool:
            if (hear := self.heard.get(method)) is None:
                return on_notify_intercept is not None and on_notify_intercept(method, params)
            hear(dict(params or {}))
            return True

        requests = ServerRequests(self._asked, self._note_asked_back)
        if isinstance(self._write_stream, Outgoing):
            self._write_stream.receive = lambda item: self._dispatch(item, requests.answer, on_notify, None)
        try:
            await super().run(requests.answer, on_notify, intercept, **options)
        finally:
            # The SDK's session has no event for the end of the stream.
            self.ended.set()

    def _note_asked_back(self) -> None:
        self.on_asked_back()


def _of_anybody(params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Declares all that clients can be asked for to a stateless server, which may list fewer tools otherwise.

    Each call then says what its own client can be asked for.
    """
    meta = (params or {}).get("_meta")
    if not isinstance(meta, Mapping) or CLIENT_CAPABILITIES_META_KEY not in meta:
        return params
    return {**(params or {}), "_meta": {**meta, CLIENT_CAPABILITIES_META_KEY: without_notices(ALL)}}


def _ignore(*_: object) -> None:
    """For what nobody wants to know."""
