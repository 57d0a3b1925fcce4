"""Sessions with MCP servers: the one door to the MCP client."""

from connector.session.client import Listing, Session
from connector.session.transports import Noise, Streams, http_streams, sse_streams, stdio_streams

__all__ = ["Listing", "Noise", "Session", "Streams", "http_streams", "sse_streams", "stdio_streams"]
