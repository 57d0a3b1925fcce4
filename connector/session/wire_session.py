"""The SDK's session, for requests whose params and results are wire JSON."""

from typing import Any

from mcp import ClientSession
from mcp.shared.dispatcher import CallOptions, ProgressFnT
from mcp.types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    LOG_LEVEL_META_KEY,
    PROTOCOL_VERSION_META_KEY,
)
from mcp.types.methods import validate_server_result

_OUR_OWN = {
    PROTOCOL_VERSION_META_KEY,
    CLIENT_INFO_META_KEY,
    CLIENT_CAPABILITIES_META_KEY,
    LOG_LEVEL_META_KEY,
}
"""What each client of the stateless era says of itself, and we to the server of ourselves."""


class WireSession(ClientSession):
    """Its `send_wire` leaves params and results as they are: the SDK's models drop what they do not know."""

    async def send_wire(
        self, method: str, params: dict[str, Any], on_progress: ProgressFnT
    ) -> dict[str, Any]:
        """Sends a request with a progress token. Raises MCPError, and ValidationError for a broken result."""
        options: CallOptions = {"on_progress": on_progress}
        if "_meta" in params:
            params["_meta"] = {key: value for key, value in params["_meta"].items() if key not in _OUR_OWN}
        # Headers, and what the stateless era wants in each request.
        self._stamp({"method": method, "params": params}, options)
        result = await self._dispatcher.send_raw_request(method, params, options)
        validate_server_result(method, self.protocol_version or "", result)
        return result
