"""A hand-rolled stdio MCP server that answers oddly: `odd.py [version=DATE] [SWITCH]...`.

version=      the version that `initialize` answers with; empty: none
capabilities  answers with capabilities of a wrong type
modern        knows `server/discover` and nothing of the older era
late=         seconds until it reads its first request
silent        never answers a request that it does not know
resources     announces resources and prompts, and fails to list them
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SWITCHES = {name: value for name, _, value in (argument.partition("=") for argument in sys.argv[1:])}
answers: list[dict[str, Any]] = []
INFO = {"name": "odd", "version": "0"}


def write(raw: bytes) -> None:
    sys.stdout.buffer.write(raw + b"\n")
    sys.stdout.buffer.flush()


def send(message: Any) -> None:
    write(json.dumps(message).encode())


def text(value: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value}]}


def result(request_id: Any, value: str = "fine", **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": {**text(value), **more}}


def error(request_id: Any, code: Any, message: str = "no") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def without(message: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != name}


ODD_ANSWERS: dict[str, Callable[[Any], bytes]] = {
    "batch": lambda number: json.dumps([result(number)]).encode(),
    "null-id": lambda _: json.dumps(result(None)).encode(),
    "string-id": lambda number: json.dumps(result(str(number))).encode(),
    "no-jsonrpc": lambda number: json.dumps(without(result(number), "jsonrpc")).encode(),
    "both": lambda number: json.dumps(result(number) | error(number, -1)).encode(),
    "string-code": lambda number: json.dumps(error(number, "E1")).encode(),
    "lone-surrogate": lambda number: json.dumps(result(number, "a\ud83d b\0")).encode(),
    "invalid-utf8": lambda number: json.dumps(result(number, "?")).encode().replace(b"?", b"\xff"),
    "unknown-id": lambda _: json.dumps(result(4711)).encode(),
    "twice": lambda number: json.dumps(result(number)).encode() + b"\n" + json.dumps(result(number)).encode(),
    "null-result": lambda number: json.dumps({"jsonrpc": "2.0", "id": number, "result": None}).encode(),
    "string-result": lambda number: json.dumps({"jsonrpc": "2.0", "id": number, "result": "x"}).encode(),
    "list-result": lambda number: json.dumps({"jsonrpc": "2.0", "id": number, "result": []}).encode(),
    "no-message": lambda number: json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": 1}}).encode(),
    "error-32000": lambda number: json.dumps(error(number, -32000)).encode(),
    "error-32700": lambda number: json.dumps(error(number, -32700)).encode(),
    "error-31999": lambda number: json.dumps(error(number, -31999)).encode(),
    "terminated": lambda number: json.dumps(error(number, -32600, "Session terminated")).encode(),
    "input": lambda number: json.dumps(
        result(number, resultType="input_required", inputRequests={}, requestState="x")
    ).encode(),
}


def call(number: Any, name: str, arguments: dict[str, Any]) -> None:
    if name in ODD_ANSWERS:
        write(ODD_ANSWERS[name](number))
    elif name == "ask":
        for index in range(arguments["times"]):
            send({"jsonrpc": "2.0", "id": f"ask-{index}", "method": arguments["method"], "params": {}})
        send(result(number))
    elif name == "answers":
        send(result(number, json.dumps(answers)))
    elif name in REPEATABLE:
        count_and_end_at_the_first(arguments["log"])
        send(result(number, "again"))


def count_and_end_at_the_first(log: str) -> None:
    with Path(log).open("a") as calls:
        calls.write("x")
    if Path(log).stat().st_size == 1:
        os._exit(9)


REPEATABLE = {"read": {"readOnlyHint": True}, "set": {"idempotentHint": True}, "add": {"readOnlyHint": False}}
PLAIN = [*ODD_ANSWERS, "ask", "answers"]
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}, "annotations": REPEATABLE.get(name, {})}
    for name in (*PLAIN, *REPEATABLE)
]


def greeting() -> dict[str, Any]:
    capabilities: Any = ["tools"] if "capabilities" in SWITCHES else {"tools": {}}
    if "resources" in SWITCHES:
        capabilities |= {"resources": {}, "prompts": {}}
    version = SWITCHES.get("version", "2025-06-18")
    given = {"protocolVersion": version} if version else {}
    return {**given, "capabilities": capabilities, "serverInfo": INFO}


def discovery() -> dict[str, Any]:
    return {
        "resultType": "complete",
        "supportedVersions": [SWITCHES.get("version", "2026-07-28")],
        "capabilities": {"tools": {}},
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": INFO},
    }


def listing() -> dict[str, Any]:
    modern = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if "modern" in SWITCHES else {}
    return {"tools": TOOLS, **modern}


def answer(message: dict[str, Any]) -> None:
    number, method = message["id"], message["method"]
    known = {"tools/list": listing}
    known |= {"server/discover": discovery} if "modern" in SWITCHES else {"initialize": greeting}
    if method == "tools/call":
        call(number, message["params"]["name"], message["params"].get("arguments") or {})
    elif method in known:
        send({"jsonrpc": "2.0", "id": number, "result": known[method]()})
    elif method.startswith(("resources/", "prompts/")):
        send(error(number, -32603, "Access denied for the user of the database"))
    elif "silent" not in SWITCHES:
        send(error(number, -32601))


if __name__ == "__main__":
    time.sleep(float(SWITCHES.get("late", 0)))
    for line in sys.stdin:
        message = json.loads(line)
        if "method" not in message:
            answers.append(message)
        elif "id" in message:
            answer(message)
