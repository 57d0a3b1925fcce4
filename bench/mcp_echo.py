"""The MCP server behind `bench.mcp`: it echoes, and lists 200 tools. `mcp_echo.py [--http|--sdk PORT]`.

Without the SDK, whose own cost would hide what is measured: the era of sessions, as little as is needed. With
`--sdk` one tool by the SDK, as most servers are made.
"""

import json
import sys
from typing import Any

from aiohttp import web
from mcp.server.mcpserver import MCPServer

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = [
    {"name": f"echo{number}", "description": f"Says its text again, number {number}.", "inputSchema": SCHEMA}
    for number in range(200)
]


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the answer to a message; None for a notification."""
    if "id" not in message:
        return None
    match message["method"]:
        case "initialize":
            info = {"name": "echo", "version": "1"}
            capabilities: dict[str, Any] = {"tools": {}}
            version = "2025-11-25"
            found: dict[str, Any] = {
                "protocolVersion": version,
                "capabilities": capabilities,
                "serverInfo": info,
            }
        case "tools/list":
            found = {"tools": TOOLS}
        case "tools/call":
            text = message["params"]["arguments"]["text"]
            found = {"content": [{"type": "text", "text": text}]}
        case "ping":
            found = {}
        case method:
            error = {"code": -32601, "message": f"Method not found: {method}"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    return {"jsonrpc": "2.0", "id": message["id"], "result": found}


def serve_stdio() -> None:
    for line in sys.stdin:
        if (answered := answer(json.loads(line))) is not None:
            print(json.dumps(answered), flush=True)


async def post(request: web.Request) -> web.Response:
    answered = answer(await request.json())
    if answered is None:
        return web.Response(status=202)
    return web.json_response(answered, headers={"mcp-session-id": "echo"})


def serve_http(port: int) -> None:
    application = web.Application()
    application.router.add_post("/mcp", post)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


def serve_by_sdk(port: int) -> None:
    server = MCPServer("echo", version="1", log_level="ERROR")

    @server.tool()
    def echo7(text: str) -> str:
        """Says its text again."""
        return text

    server.run("streamable-http", port=port)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--http", port]:
            serve_http(int(port))
        case ["--sdk", port]:
            serve_by_sdk(int(port))
        case _:
            serve_stdio()
