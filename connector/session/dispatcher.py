"""The SDK's dispatcher, made tolerant: a broken tool costs that tool. The end of the stream is noticed."""

from collections.abc import Mapping
from typing import Any

from mcp.shared.dispatcher import CallOptions, OnRequest
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext

from connector.events import Event
from connector.session.definitions import OFFERS, sift, sift_offers
from connector.session.requests import Refusals


class TolerantDispatcher(JSONRPCDispatcher[TransportContext]):
    """`ended` is set once the transport has closed; `refused` names the tools dropped from listings.

    `usable` are the tools of the last page that was listed: the same object as long as that is the same page.
    """

    def __init__(self, read_stream: Any, write_stream: Any) -> None:
        super().__init__(read_stream, write_stream)
        self.ended = Event()
        self.refused: set[str] = set()
        self.protocol_version = ""
        self.usable: list[dict[str, Any]] = []
        self._unusable: set[str] = set()
        self._listed: dict[str, Any] | None = None

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None, **related: Any
    ) -> dict[str, Any]:
        result = await super().send_raw_request(method, params, opts, **related)
        if method in OFFERS:
            return sift_offers(method, result, self.protocol_version)
        if method != "tools/list":
            return result
        if result != self._listed:  # health checks list the same again and again
            self.usable, self._unusable = sift(result, self.protocol_version)
            self._listed = result
        self.refused |= self._unusable
        return {**result, "tools": self.usable}

    async def run(self, on_request: OnRequest, *handlers: Any, **options: Any) -> None:
        """What the session would answer to the server's requests is not asked."""
        try:
            await super().run(Refusals().answer, *handlers, **options)
        finally:
            self.ended.set()
