"""On the official SDK, floods with notifications: `loud.py stdio|sse|streamable-http [PORT]`."""

import sys
import time
from typing import Any

import anyio.lowlevel
from mcp.server.mcpserver import Context, MCPServer


class Counting(MCPServer):
    listed = 0

    async def list_tools(self, *arguments: Any, **options: Any) -> Any:
        self.listed += 1
        return await super().list_tools(*arguments, **options)


server = Counting("loud", version="1")


@server.tool()
async def storm(s: float, context: Context) -> str:
    """Report changes and progress for so many seconds, as fast as it can."""
    until, number, is_older = (
        time.monotonic() + s,
        0,
        (context.request_context.protocol_version or "") < "2026",
    )
    while time.monotonic() < until:
        number += 1
        await context.report_progress(number)
        if is_older:
            await context.request_context.session.send_tool_list_changed()
        else:
            await context.notify_tools_changed()
        await anyio.lowlevel.checkpoint()
    return str(number)


@server.tool()
async def listings() -> str:
    """How often its tools were listed."""
    return str(server.listed)


@server.tool()
async def echo() -> str:
    return "echo"


if __name__ == "__main__":
    transport, *port = sys.argv[1:]
    server.run(transport, **{"port": int(port[0])} if port else {})
