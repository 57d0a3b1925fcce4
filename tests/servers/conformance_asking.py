"""How the server of conformance.py asks its client for something, in either era.

In the older one it sends a request of its own and waits; in the later one it answers `input_required`, and
the client's retry brings the answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

CAPABILITIES = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
RESULTS: dict[str, type[Any]] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResult,
    "roots/list": types.ListRootsResult,
}


class Asked(Exception):
    """The client has to answer first: `result` says what."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        super().__init__("input required")
        self.result = result


@dataclass(frozen=True)
class Inputs:
    """What a request brings, and the way to ask its client for more."""

    context: ServerRequestContext[Any, Any]
    params: types.InputResponseRequestParams

    @property
    def is_modern(self) -> bool:
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    async def ask(self, state: str | None = None, /, **requests: types.InputRequest) -> Mapping[str, Any]:
        """Returns the answers by the requests' names. Raises Asked, or MCPError where the client cannot."""
        for request in requests.values():
            self._require(CAPABILITIES[request.method])
        if not self.is_modern:
            return {name: await self._answer(request) for name, request in requests.items()}
        given = self.params.input_responses or {}
        if not requests.keys() <= given.keys():
            raise Asked(types.InputRequiredResult(input_requests=requests, request_state=state))
        return given

    def declares(self, capability: str) -> bool:
        """Whether the client said that it can do this."""
        wanted = types.ClientCapabilities.model_validate({capability: {}})
        return self.context.session.check_client_capability(wanted)

    def _require(self, capability: str) -> None:
        if not self.declares(capability):
            data = {"requiredCapabilities": {capability: {}}}
            message = f"The client does not declare {capability}."
            raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, message, data)

    async def _answer(self, request: types.InputRequest) -> Any:
        metadata = ServerMessageMetadata(related_request_id=self.context.request_id)
        return await self.context.session.send_request(request, RESULTS[request.method], metadata=metadata)


def form(message: str, **properties: dict[str, Any]) -> types.ElicitRequest:
    """Asks the user for values of these schemas, all of them required."""
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(text: str) -> types.CreateMessageRequest:
    """Asks the client's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(text=text))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], max_tokens=100)
    )


def roots() -> types.ListRootsRequest:
    """Asks for the client's folders."""
    return types.ListRootsRequest()
