"""Sessions with MCP servers: the one door to the MCP client."""

from connector.session.client import Session
from connector.session.listing import Listing, Offers
from connector.session.transports import Streams, http_streams, sse_streams, stdio_streams

__all__ = ["Listing", "Offers", "Session", "Streams", "http_streams", "sse_streams", "stdio_streams"]
