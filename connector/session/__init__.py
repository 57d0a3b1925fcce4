"""Sessions with MCP servers: the one door to the MCP client."""

from connector.session.authorization import Authorization
from connector.session.client import Session
from connector.session.listing import Listing, Offers
from connector.session.oauth import log_in
from connector.session.transports import Streams, http_streams, sse_streams, stdio_streams

__all__ = [
    "Authorization",
    "Listing",
    "Offers",
    "Session",
    "Streams",
    "http_streams",
    "log_in",
    "sse_streams",
    "stdio_streams",
]
