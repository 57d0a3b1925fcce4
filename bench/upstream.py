"""The LLM service behind `bench.chat`: a fixed answer, at once. `upstream.py PORT`.

The name of the model says what it answers: `chunks-20` in so many chunks of text, `tool-1` by a call of the
first tool that it is offered, and then in one chunk. Without a library, whose own cost would hide what is
measured.
"""

import asyncio
import json
import sys
from typing import Any

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
_USAGE = {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40}
_NAMED = {"id": "chatcmpl-1", "created": 1, "model": "upstream", "object": "chat.completion.chunk"}


class Service(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) >= length:
            self._received = rest[length:]
            self._transport.write(_answer(json.loads(rest[:length])))


def _answer(asked: dict[str, Any]) -> bytes:
    kind, _, number = asked["model"].partition("-")
    texts = [f"word{index} " for index in range(int(number))]
    is_calling = kind == "tool" and asked["messages"][-1]["role"] != "tool"
    calls = [_call(asked["tools"][0]["function"]["name"])] if is_calling else []
    if asked.get("stream"):
        return _http(b"text/event-stream", _streamed(texts, calls))
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else "".join(texts)}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    body = {**_NAMED, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
    return _http(b"application/json", json.dumps(body).encode())


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


def _http(kind: bytes, body: bytes) -> bytes:
    return _HEAD % (kind, len(body)) + body


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
