"""A small server on the official SDK: `real.py stdio|sse|streamable-http [PORT]`."""

import sys

import anyio
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("real", version="1")


@server.tool()
async def add(a: int, b: int) -> int:
    """Add two integers."""
    return a + b


@server.tool()
async def big(size: int) -> str:
    """Answer with so many letters."""
    return "x" * size


@server.tool()
async def slow(seconds: float, context: Context) -> str:
    """Sleep, and report how far it is."""
    for step in range(3):
        await context.report_progress(step + 1, 3, f"step {step + 1}")
        await anyio.sleep(seconds / 3)
    return "slept"


if __name__ == "__main__":
    transport, *port = sys.argv[1:]
    server.run(transport, **{"port": int(port[0])} if port else {})
