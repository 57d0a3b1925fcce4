"""The MCP server that `bench.mcp` calls by the SDK's client: one tool by the SDK. `mcp_echo.py PORT`."""

import sys

from mcp.server.mcpserver import MCPServer


def serve(port: int) -> None:
    server = MCPServer("echo", version="1", log_level="ERROR")

    @server.tool()
    def echo7(text: str) -> str:
        """Says its text again."""
        return text

    server.run("streamable-http", port=port)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
