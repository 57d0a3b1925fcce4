"""What stands behind a gateway under load, and answers at once: an LLM service, an MCP server, a collector.

`upstream.py llm PORT`: the name of the model says what it answers: `chunks-20` in so many chunks of text,
`tool-1` by a call of the first tool that it is offered, and then in one chunk. `upstream.py mcp PORT`: echoes
over HTTP, and lists 200 tools, at `/mcp/1000` a thousand. `upstream.py stdio`: the same server over stdio.
`upstream.py collector PORT`: takes traces, and keeps none.

Without a library, whose own cost would hide what is measured. The MCP server speaks as much as is needed of
the protocol with sessions.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

_HEAD = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n"
_USAGE = {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40}
_NAMED = {"id": "chatcmpl-1", "created": 1, "model": "upstream", "object": "chat.completion.chunk"}
_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
_TOOLS = 200
Answer = Callable[[bytes, bytes], bytes]
"""Returns the bytes of a response, for the head and the body of a request."""


class Service(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._received = bytearray()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._received) >= end + 4 + length:
            body = bytes(self._received[end + 4 : end + 4 + length])
            del self._received[: end + 4 + length]
            self._transport.write(self._answer(head, body))


def complete(_: bytes, body: bytes) -> bytes:
    """Answers as an LLM service."""
    asked = json.loads(body)
    kind, _, number = asked["model"].partition("-")
    calls, texts = [], _texts(int(number))
    if kind == "tool" and asked["messages"][-1]["role"] != "tool":
        calls = [_call(asked["tools"][0]["function"]["name"])]
    elif kind == "tool" and "hello" not in json.dumps(asked["messages"][-1]["content"]):
        texts = ["The tool has not answered."]
    if asked.get("stream"):
        return _http(_streamed(texts, calls), b"text/event-stream")
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else "".join(texts)}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    answer = {**_NAMED, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
    return _http(json.dumps(answer).encode())


def _texts(number: int) -> list[str]:
    return [f"word{index} " for index in range(number)]


def _call(name: str) -> dict[str, Any]:
    arguments = json.dumps({"text": "hello"})
    return {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _streamed(texts: list[str], calls: list[dict[str, Any]]) -> bytes:
    deltas: list[dict[str, Any]] = [{"tool_calls": calls}] if calls else [{"content": text} for text in texts]
    choices: list[list[Any]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}])
    chunks: list[dict[str, Any]] = [{**_NAMED, "choices": choice} for choice in choices]
    chunks.append({**_NAMED, "choices": [], "usage": _USAGE})
    events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    return b"".join([*events, b"data: [DONE]\n\n"])


def echo_over_http(head: bytes, body: bytes) -> bytes:
    """Answers as an MCP server."""
    method, path, _ = head.split(b" ", 2)
    if method != b"POST":
        return _http(b"", status=b"405 Method Not Allowed")
    last = path.rpartition(b"/")[2]
    answer = echo(json.loads(body), tools=int(last) if last.isdigit() else _TOOLS)
    if answer is None:
        return _http(b"", status=b"202 Accepted")
    return _http(json.dumps(answer).encode(), more=b"mcp-session-id: echo\r\n")


def echo_over_stdio() -> None:
    for line in sys.stdin:
        if (answer := echo(json.loads(line))) is not None:
            print(json.dumps(answer), flush=True)


def echo(message: dict[str, Any], *, tools: int = _TOOLS) -> dict[str, Any] | None:
    """Returns the answer to a message of MCP; None for a notification."""
    if "id" not in message:
        return None
    found: dict[str, Any] = {}
    match message["method"]:
        case "initialize":
            info = {"name": "echo", "version": "1"}
            offered: dict[str, Any] = {"tools": {}}
            found = {"protocolVersion": "2025-11-25", "capabilities": offered, "serverInfo": info}
        case "tools/list":
            found = {"tools": _tools(tools)}
        case "tools/call":
            found = {"content": [{"type": "text", "text": message["params"]["arguments"]["text"]}]}
        case "ping":
            pass
        case method:
            error = {"code": -32601, "message": f"Method not found: {method}"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    return {"jsonrpc": "2.0", "id": message["id"], "result": found}


@cache
def _tools(number: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"echo{index}",
            "description": f"Says its text again, number {index}.",
            "inputSchema": _SCHEMA,
        }
        for index in range(number)
    ]


def _http(
    body: bytes, kind: bytes = b"application/json", *, status: bytes = b"200 OK", more: bytes = b""
) -> bytes:
    return _HEAD % (status, kind, len(body), more) + body


async def serve(answer: Answer, port: int) -> None:
    made = partial(Service, answer)
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["llm", port]:
            asyncio.run(serve(complete, int(port)))
        case ["mcp", port]:
            asyncio.run(serve(echo_over_http, int(port)))
        case ["collector", port]:
            asyncio.run(serve(lambda _, __: _http(b"", b"application/x-protobuf"), int(port)))
        case _:
            echo_over_stdio()
