"""Sessions with MCP servers. Nothing else imports the MCP client: an import-linter contract holds it."""

from connector.session import mcp_without_server  # noqa: F401 - before what imports the SDK
from connector.session.authorization import Authorization
from connector.session.client import Session
from connector.session.listing import Capabilities, Listing
from connector.session.oauth import log_in
from connector.session.requests import Asked
from connector.session.transports import Streams, http_streams, sse_streams, stdio_streams

__all__ = [
    "Asked",
    "Authorization",
    "Capabilities",
    "Listing",
    "Session",
    "Streams",
    "http_streams",
    "log_in",
    "sse_streams",
    "stdio_streams",
]
