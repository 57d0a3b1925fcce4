"""The MCP endpoint: what a key may use, as an MCP server, in both eras of the protocol.

`/mcp` offers all that the key reaches, `/mcp/a/{assistant}` one assistant, `/mcp/s/{server}` one server under
its own names. The older era (2024-11-05 to 2025-11-25) has sessions, the stateless one (2026-07-28) has none:
https://modelcontextprotocol.io/specification.
"""
