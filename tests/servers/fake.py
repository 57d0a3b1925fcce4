"""A hand-rolled stdio MCP server of the older era, with switches for misbehaviour: `fake.py [SWITCH]...`.

stray       prints a line on standard output before and between messages
mute        never answers anything
silent-end  ends at once with code 3
needs-key   ends with a traceback about a missing variable
modern-dies ends at `server/discover`, as some servers end at an unknown request
broken-tool offers one tool with an impossible definition among good ones
endless     pages of tools without end
stubborn    ignores SIGTERM and the end of its input
daemon      starts a detached grandchild that ignores everything
slow-start  does not answer for the first 2 s
garbage     writes half a message, bytes that are no text and an answer to no request before each answer
twice       gives each answer twice
picky       offers a tool, too, whose schema LLM services refuse, and that wants what it says
structured  offers a tool, too, that declares what it returns, with a title, annotations and fields of its own

FAKE_STARTS, FAKE_CALLS and FAKE_META name files: a line with the process id is added to the first by each
start, a line of JSON with the arguments to the second and with `_meta` to the third by each call of a tool.
FAKE_DESCRIPTION names a file whose text is read at the start: the description of `echo`.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SWITCHES = set(sys.argv[1:])
DESCRIPTION = Path(os.environ["FAKE_DESCRIPTION"]).read_text() if "FAKE_DESCRIPTION" in os.environ else ""
OBJECT = {"type": "object"}
GARBAGE = b'{"jsonrpc": "2.0", "id":\n\xff\xfe\x00\n{"jsonrpc": "2.0", "id": 999999999, "result": {}}\n'
SCHEMAS: dict[str, dict[str, Any]] = {
    "find": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "$filter": {"type": "array", "items": {"$ref": "#/$defs/Condition"}},
            "limit": {"type": "integer", "maximum": 100},
            "order": {"type": ["string", "null"]},
            "strict": {"type": "boolean"},
            "options": {"type": "object"},
        },
        "anyOf": [{"required": ["$filter"]}, {"properties": {"all": {"const": True}}, "required": ["all"]}],
        "$defs": {
            "Condition": {
                "type": "object",
                "properties": {"field[name]": {"type": "string"}, "id": {"type": "integer"}},
                "required": ["id"],
            }
        },
    }
}
WEIGH = {
    "name": "weigh",
    "title": "Scales",
    "description": "Weighs a thing.",
    "inputSchema": {
        "type": "object",
        "properties": {"thing": {"type": "string"}, "times": {"type": "integer", "minimum": 1}},
        "required": ["thing"],
    },
    "outputSchema": {"type": "object", "properties": {"grams": {"type": "number"}}, "required": ["grams"]},
    "annotations": {"readOnlyHint": True, "idempotentHint": True},
    "icons": [{"src": "https://example.com/scales.png"}],
    "_meta": {"example.com/shelf": 3},
}
cancelled: list[Any] = []
running: dict[Any, threading.Event] = {}
grown: list[str] = []
listings = 0
tokens: dict[Any, Any] = {}
lock = threading.Lock()


def send(message: dict[str, Any]) -> None:
    line = json.dumps({"jsonrpc": "2.0", **message})
    with lock:
        if "stray" in SWITCHES:
            print("a stray line of log")
        if "garbage" in SWITCHES:
            sys.stdout.buffer.write(GARBAGE)
        print(f"{line}\n{line}" if "twice" in SWITCHES else line, flush=True)


def tools(params: dict[str, Any]) -> dict[str, Any]:
    global listings  # noqa: PLW0603 - a server's own memory
    listings += 1
    offered: list[Any] = [
        {"name": name, "description": description(name), "inputSchema": SCHEMAS.get(name, OBJECT)}
        for name in TOOLS
        if name != "weigh" and (name != "grown" or grown) and (name not in SCHEMAS or "picky" in SWITCHES)
    ]
    if "broken-tool" in SWITCHES:
        offered += [{"name": "broken", "inputSchema": "nonsense"}, 7, {"inputSchema": OBJECT}]
    if "structured" in SWITCHES:
        offered.append(WEIGH)
    if "endless" in SWITCHES:
        number = int(params.get("cursor") or 0) + 1
        return {"tools": [{"name": f"tool{number}", "inputSchema": OBJECT}], "nextCursor": str(number)}
    return {"tools": offered}


def description(name: str) -> str:
    return DESCRIPTION if name == "echo" and DESCRIPTION else f"Does {name}."


def text(value: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value}]}


def sleep(arguments: dict[str, Any], request_id: Any) -> dict[str, Any] | None:
    was_cancelled = running[request_id].wait(arguments.get("s", 1))
    return None if was_cancelled else text("slept")


def grow(arguments: dict[str, Any], request_id: Any) -> dict[str, Any]:
    grown.append("grown")
    send({"method": "notifications/tools/list_changed"})
    return text("grown")


def storm(arguments: dict[str, Any], request_id: Any) -> dict[str, Any]:
    """Reports changes and progress as fast as it can."""
    until, token, number = time.monotonic() + arguments.get("s", 1), tokens.get(request_id), 0
    while time.monotonic() < until:
        number += 1
        send({"method": "notifications/tools/list_changed"})
        if token is not None:
            progress = {"progressToken": token, "progress": number}
            send({"method": "notifications/progress", "params": progress})
    return text(str(listings))


def stop_reading(arguments: dict[str, Any], request_id: Any) -> dict[str, Any]:
    SWITCHES.add("not-reading")
    return text("reads no more after the next message")


def pour(arguments: dict[str, Any], request_id: Any) -> None:
    """A line without an end."""
    with lock:
        while True:
            sys.stdout.buffer.write(b"x" * 65536)
            sys.stdout.flush()
            time.sleep(0.01)


TOOLS: dict[str, Callable[[dict[str, Any], Any], dict[str, Any] | None]] = {
    "echo": lambda arguments, _: text(json.dumps(arguments)),
    "sleep": sleep,
    "crash": lambda arguments, _: os._exit(arguments.get("code", 7)),
    "pid": lambda *_: text(str(os.getpid())),
    "big": lambda arguments, _: text("x" * arguments["bytes"]),
    "environment": lambda *_: text(json.dumps(dict(os.environ))),
    "cancelled": lambda *_: text(str(len(cancelled))),
    "grow": grow,
    "storm": storm,
    "listings": lambda *_: text(str(listings)),
    "grown": lambda *_: text("grown"),
    "find": lambda arguments, _: text(json.dumps(arguments)),
    "count": lambda arguments, _: text(str(len(arguments["text"]))),
    "stop_reading": stop_reading,
    "pour": pour,
    "weigh": lambda arguments, _: {
        **text("2 g"),
        "structuredContent": {"grams": 2 * arguments.get("times", 1)},
    },
    "fail": lambda *_: {**text("it failed"), "isError": True},
}


def answer(message: dict[str, Any]) -> None:
    method, params, request_id = message["method"], message.get("params") or {}, message["id"]
    if "mute" in SWITCHES:
        return
    if method == "initialize":
        capabilities = {"tools": {"listChanged": True}}
        info = {"name": "fake", "version": "0"}
        version = {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info}
        send({"id": request_id, "result": version})
    elif method == "tools/list":
        send({"id": request_id, "result": tools(params)})
    elif method == "tools/call":
        note("FAKE_META", json.dumps(params.get("_meta")))
        note("FAKE_CALLS", json.dumps(params.get("arguments")))
        result = TOOLS[params["name"]](params.get("arguments") or {}, request_id)
        if result is not None:
            send({"id": request_id, "result": result})
    elif method == "server/discover" and "modern-dies" in SWITCHES:
        os._exit(1)
    else:
        send({"id": request_id, "error": {"code": -32601, "message": "Method not found"}})


def note(variable: str, line: str) -> None:
    if log := os.environ.get(variable):
        with Path(log).open("a") as lines:
            lines.write(f"{line}\n")


def misbehave_at_start() -> None:
    if "slow-start" in SWITCHES:
        time.sleep(2)
    if "silent-end" in SWITCHES:
        sys.exit(3)
    if "needs-key" in SWITCHES:
        os.environ["WEATHER_API_KEY"]
    if "stubborn" in SWITCHES:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "daemon" in SWITCHES:
        detached = "import signal, time; signal.signal(15, 1); signal.signal(1, 1); time.sleep(600)"
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen([sys.executable, "-c", detached], start_new_session=True, **streams)


def main() -> None:
    misbehave_at_start()
    note("FAKE_STARTS", str(os.getpid()))
    for line in sys.stdin:
        while "not-reading" in SWITCHES:
            time.sleep(1)
        message = json.loads(line)
        if message.get("method") == "notifications/cancelled":
            cancelled.append(message["params"]["requestId"])
            running[message["params"]["requestId"]].set()
        if "method" in message and "id" in message:
            running[message["id"]] = threading.Event()
            tokens[message["id"]] = message.get("params", {}).get("_meta", {}).get("progressToken")
            threading.Thread(target=answer, args=[message], daemon=True).start()
    while "stubborn" in SWITCHES:
        time.sleep(1)


if __name__ == "__main__":
    main()
