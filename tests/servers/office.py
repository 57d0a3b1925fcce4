"""A stdio MCP server of an office: it reads mail and pages of others, has private notes, and sends.

    office.py SENT

SENT is a file: each call of `send` adds a line of JSON with its arguments. What `mail` returns stands in the
environment, in OFFICE_MAIL: a JSON object of texts by number.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

SENT = Path(sys.argv[1])
MAIL: dict[str, str] = json.loads(Path(os.environ["OFFICE_MAIL"]).read_text())
TEXT = {"type": "string"}


def tool(name: str, description: str, /, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "inputSchema": schema}


TOOLS = [
    tool("mail", "Reads a mail of somebody else.", number=TEXT),
    tool("page", "Reads a page of the web.", number=TEXT),
    tool("note", "Reads a private note.", name=TEXT),
    tool("time", "Tells the time."),
    tool("send", "Sends a text to somebody.", to=TEXT, text=TEXT),
]


def called(name: str, arguments: dict[str, Any]) -> str:
    match name:
        case "mail" | "page":
            return MAIL[arguments["number"]]
        case "note":
            return "The private number of Ann is 4711."
        case "send":
            with SENT.open("a") as sent:
                sent.write(json.dumps(arguments) + "\n")
            return "Sent."
    return "It is noon."


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    match method:
        case "initialize":
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "office", "version": "1"},
            }
        case "tools/list":
            return {"tools": TOOLS}
        case "tools/call":
            text = called(params["name"], params.get("arguments") or {})
            return {"content": [{"type": "text", "text": text}]}
        case "ping":
            return {}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = answer(message["method"], message.get("params") or {})
    unknown = {"error": {"code": -32601, "message": "Method not found"}}
    reply = {"jsonrpc": "2.0", "id": message["id"], **({"result": result} if result is not None else unknown)}
    print(json.dumps(reply), flush=True)
