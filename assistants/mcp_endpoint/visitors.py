"""A request to the endpoint, authenticated, before it is known which era it is of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from apikeys.principal import Principal
from assistants.mcp_endpoint import states
from assistants.mcp_endpoint.addresses import Address
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.headers import END_USER, SESSION, VERSION
from assistants.mcp_endpoint.protocol import INVALID_REQUEST, REFUSED, SESSION_VERSIONS, RpcError
from assistants.mcp_endpoint.reach import Reach
from assistants.mcp_endpoint.sessions import Session, read
from assistants.validation import end_user


@dataclass(frozen=True, slots=True)
class Visitor:
    """`public_url` is where the caller finds the installation."""

    principal: Principal
    address: Address
    headers: Headers
    public_url: str

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")

    async def session(self) -> Session:
        """Returns the session that the headers name. Raises RpcError (400, 404)."""
        session_id = self.headers.get(SESSION)
        if session_id is None:
            message = "The header Mcp-Session-Id is missing: begin with the method 'initialize'."
            raise RpcError(INVALID_REQUEST, message, status=400)
        if (version := self.headers.get(VERSION)) is not None and version not in SESSION_VERSIONS:
            message = f"The version in MCP-Protocol-Version is none of {', '.join(SESSION_VERSIONS)}."
            raise RpcError(INVALID_REQUEST, message, status=400)
        session = read(session_id)
        if session is None or not self._owns(session) or (await states.of(session)).has_ended:
            raise RpcError(REFUSED, "There is no such session, or it has ended: initialize anew.", status=404)
        return session

    def client(self, session: Session, reached: Reach) -> Client:
        """Returns who asks in a session."""
        return self._client(reached, session.capabilities, session)

    def stateless_client(self, reached: Reach, capabilities: Mapping[str, Any]) -> Client:
        """Returns who asks without a session."""
        return self._client(reached, capabilities, None)

    def _client(self, reached: Reach, capabilities: Mapping[str, Any], session: Session | None) -> Client:
        named = end_user(self.headers.get(END_USER, ""))
        return Client(self.principal, self.address, reached, self.request_id, capabilities, session, named)

    def _owns(self, session: Session) -> bool:
        return session.key_id == self.principal.id and session.address == self.address.path
