"""Loads MCP's SDK without its server, and its client for servers in the same process: 6 MB."""

from core.stand_ins import import_without

import_without("mcp", "mcp.client.client", "mcp.server", "mcp.server.session", "mcp.server.stdio")
