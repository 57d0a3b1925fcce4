"""A stdio MCP server that offers the tools listed in a file, and reports no change: `unannounced.py FILE`."""

import json
import sys
from pathlib import Path
from typing import Any

LIST = Path(sys.argv[1])


def result(method: str) -> dict[str, Any] | None:
    if method == "initialize":
        info = {"name": "unannounced", "version": "0"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {
            "tools": [
                {"name": name, "inputSchema": {"type": "object"}} for name in json.loads(LIST.read_text())
            ]
        }
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        found = result(message["method"])
        answer = {"result": found} if found else {"error": {"code": -32601, "message": "Method not found"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
