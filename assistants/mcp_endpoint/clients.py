"""Who asks: a key at an address, in an era of the protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apikeys.principal import Principal
from assistants.mcp_endpoint.addresses import Address
from assistants.mcp_endpoint.reach import Reach
from assistants.mcp_endpoint.sessions import Session


@dataclass(frozen=True, slots=True)
class Client:
    """`capabilities` are what the client can be asked for. `session` is None in the stateless era.

    `request_id` is that of the HTTP request, `end_user` the client's own name for whom it asks.
    """

    principal: Principal
    address: Address
    reach: Reach
    request_id: str
    capabilities: Mapping[str, Any]
    session: Session | None = None
    end_user: str = ""

    @property
    def is_stateless(self) -> bool:
        return self.session is None
