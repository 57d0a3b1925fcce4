"""The SDK's session, for params and results that are wire JSON."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from mcp import ClientSession
from mcp.shared.dispatcher import CallOptions, Dispatcher, ProgressFnT
from mcp.types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    LOG_LEVEL_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    ClientCapabilities,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
)
from mcp.types.methods import SERVER_RESULTS
from pydantic import TypeAdapter

from connector.wire.asking import NOBODY, Client, without_notices

RAW: TypeAdapter[Any] = TypeAdapter(dict[str, Any])

_OUR_OWN = {
    PROTOCOL_VERSION_META_KEY,
    CLIENT_INFO_META_KEY,
    CLIENT_CAPABILITIES_META_KEY,
    LOG_LEVEL_META_KEY,
}
"""What each client of the stateless era says of itself, and we to the server of ourselves."""


@cache
def _result_of(method: str, version: str) -> TypeAdapter[Any]:
    """Returns what validates a result. The SDK's `validate_server_result` would build it anew as well."""
    surface: Any = SERVER_RESULTS[method, version]
    return TypeAdapter(surface)


class WireSession(ClientSession):
    """Leaves params and results as they are: the SDK's models drop what they do not know.

    `declared`: the client's capabilities that a server of the session era is told when the session opens.
    """

    def __init__(self, dispatcher: Dispatcher[Any], declared: Mapping[str, Any], **options: Any) -> None:
        super().__init__(dispatcher=dispatcher, **options)
        self._declared = ClientCapabilities.model_validate(declared)

    def _build_capabilities(self, version: str) -> ClientCapabilities:
        return self._declared

    async def send_wire(
        self,
        method: str,
        params: dict[str, Any],
        on_progress: ProgressFnT | None = None,
        client: Client = NOBODY,
        *,
        request_id: str = "",
    ) -> dict[str, Any]:
        """Sends a request, with a progress token if `on_progress` is given.

        A server of the stateless era is told what `client` can be asked, and what it wants to be logged.
        Raises MCPError, and ValidationError for a broken result.
        """
        options: CallOptions = {} if on_progress is None else {"on_progress": on_progress}
        if request_id:
            options["request_id"] = request_id
        if "_meta" in params:
            params["_meta"] = {key: value for key, value in params["_meta"].items() if key not in _OUR_OWN}
        # Headers, and what the stateless era wants in each request.
        self._stamp({"method": method, "params": params}, options)
        if client is not NOBODY and CLIENT_CAPABILITIES_META_KEY in params.get("_meta", ()):
            params["_meta"][CLIENT_CAPABILITIES_META_KEY] = without_notices(client.capabilities)
            if client.log_level:
                params["_meta"][LOG_LEVEL_META_KEY] = client.log_level
        result = await self._dispatcher.send_raw_request(method, params, options)
        _result_of(method, self.protocol_version or "").validate_python(result, by_name=False)
        return result

    async def send_unchecked(
        self, method: str, params: dict[str, Any], on_progress: ProgressFnT | None = None
    ) -> dict[str, Any]:
        """Sends a request of the era of sessions whose result the SDK does not know. Raises MCPError."""
        options: CallOptions = {} if on_progress is None else {"on_progress": on_progress}
        self._stamp({"method": method, "params": params}, options)
        return await self._dispatcher.send_raw_request(method, params, options)

    async def list_page(self, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Returns a page of tools, and the cursor of the next one. Raises MCPError and ValidationError."""
        raw = await self.send_request(ListToolsRequest(params=PaginatedRequestParams(cursor=cursor)), RAW)
        page = ListToolsResult.model_validate(raw, by_name=False)
        complete = cursor is None and page.next_cursor is None
        # The SDK leaves tools out whose headers are invalid, and remembers those of the others.
        usable = {tool.name for tool in self._absorb_tool_listing(page, complete=complete).tools}
        return [tool for tool in raw["tools"] if tool["name"] in usable], page.next_cursor
