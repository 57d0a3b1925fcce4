"""LLM services with protocols of their own, as far as an answer needs them: scripted, for real SDKs."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from aiohttp import web

from tests.ports import listed_port

PROMPT_TOKENS, COMPLETION_TOKENS = 7, 3


@dataclass(frozen=True)
class Turn:
    """One answer: pieces of text with a pause after each, then a call. `cut` leaves out its end."""

    pieces: Sequence[str] = ()
    call: tuple[str, dict[str, Any]] | None = None
    is_too_long: bool = False
    cut: bool = False
    pause_s: float = 0


@dataclass(frozen=True)
class Refusal:
    status: int
    body: dict[str, Any]
    location: str = ""


@dataclass(frozen=True)
class Protocol:
    """`pieces` and `call` give the parts of an answer, `end` what comes after them."""

    content_type: str
    start: Callable[[], bytes]
    piece: Callable[[str], bytes]
    call: Callable[[str, dict[str, Any]], bytes]
    end: Callable[[Turn], bytes]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _anthropic_event(kind: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _json({"type": kind, **fields}))


def _anthropic_block(block: dict[str, Any], delta: dict[str, Any], index: int) -> bytes:
    return (
        _anthropic_event("content_block_start", index=index, content_block=block)
        + _anthropic_event("content_block_delta", index=index, delta=delta)
        + _anthropic_event("content_block_stop", index=index)
    )


def _anthropic_start() -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": 1}
    ended = {"stop_reason": None, "stop_sequence": None}
    return _anthropic_event("message_start", message={**message, **ended, "usage": usage})


def _anthropic_piece(text: str) -> bytes:
    return _anthropic_block({"type": "text", "text": ""}, {"type": "text_delta", "text": text}, 0)


def _anthropic_call(name: str, arguments: dict[str, Any]) -> bytes:
    block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
    return _anthropic_block(block, {"type": "input_json_delta", "partial_json": json.dumps(arguments)}, 0)


def _anthropic_end(turn: Turn) -> bytes:
    reason = _reason(turn, "end_turn", "tool_use", "max_tokens")
    delta = {"stop_reason": reason, "stop_sequence": None}
    usage = {"output_tokens": COMPLETION_TOKENS}
    return _anthropic_event("message_delta", delta=delta, usage=usage) + _anthropic_event("message_stop")


def _gemini(*parts: dict[str, Any], **fields: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    finish = {"finishReason": fields.pop("reason")} if "reason" in fields else {}
    return b"data: %s\r\n\r\n" % _json({"candidates": [{**candidate, **finish}], **fields})


def _gemini_call(name: str, arguments: dict[str, Any]) -> bytes:
    return _gemini({"functionCall": {"name": name, "args": arguments}, "thoughtSignature": "c2lnbmVk"})


def _gemini_end(turn: Turn) -> bytes:
    usage = {"promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": COMPLETION_TOKENS}
    return _gemini(reason=_reason(turn, "STOP", "STOP", "MAX_TOKENS"), usageMetadata=usage)


def _ollama(message: dict[str, Any], **fields: Any) -> bytes:
    said = {"role": "assistant", "content": "", **message}
    return _json({"model": "m", "done": False, "message": said, **fields}) + b"\n"


def _ollama_end(turn: Turn) -> bytes:
    counts = {"prompt_eval_count": PROMPT_TOKENS, "eval_count": COMPLETION_TOKENS, "total_duration": 1}
    return _ollama({}, **counts, done=True, done_reason=_reason(turn, "stop", "stop", "length"))


def _bedrock(kind: str, **fields: Any) -> bytes:
    """Amazon's binary event stream: lengths, their checksum, headers, payload, and a checksum of it all."""
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in named.items()
    )
    payload = _json(fields)
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def _bedrock_piece(text: str) -> bytes:
    return _bedrock("contentBlockDelta", contentBlockIndex=0, delta={"text": text})


def _bedrock_call(name: str, arguments: dict[str, Any]) -> bytes:
    start = {"toolUse": {"name": name, "toolUseId": "tooluse_1"}}
    delta = {"toolUse": {"input": json.dumps(arguments)}}
    return (
        _bedrock("contentBlockStart", contentBlockIndex=1, start=start)
        + _bedrock("contentBlockDelta", contentBlockIndex=1, delta=delta)
        + _bedrock("contentBlockStop", contentBlockIndex=1)
    )


def _bedrock_end(turn: Turn) -> bytes:
    total = PROMPT_TOKENS + COMPLETION_TOKENS
    usage = {"inputTokens": PROMPT_TOKENS, "outputTokens": COMPLETION_TOKENS, "totalTokens": total}
    reason = _reason(turn, "end_turn", "tool_use", "max_tokens")
    return _bedrock("messageStop", stopReason=reason) + _bedrock(
        "metadata", usage=usage, metrics={"latencyMs": 1}
    )


def _reason(turn: Turn, stop: str, call: str, length: str) -> str:
    if turn.is_too_long:
        return length
    return call if turn.call else stop


PROTOCOLS = {
    "anthropic": Protocol(
        "text/event-stream", _anthropic_start, _anthropic_piece, _anthropic_call, _anthropic_end
    ),
    "bedrock": Protocol(
        "application/vnd.amazon.eventstream",
        lambda: _bedrock("messageStart", role="assistant"),
        _bedrock_piece,
        _bedrock_call,
        _bedrock_end,
    ),
    "gemini": Protocol(
        "text/event-stream", lambda: b"", lambda text: _gemini({"text": text}), _gemini_call, _gemini_end
    ),
    "ollama": Protocol(
        "application/x-ndjson",
        lambda: b"",
        lambda text: _ollama({"content": text}),
        lambda name, given: _ollama({"tool_calls": [{"function": {"name": name, "arguments": given}}]}),
        _ollama_end,
    ),
}


class Vendor:
    """Each request gets the next answer, and one too many a failure with status 500."""

    def __init__(self, kind: str) -> None:
        self.url = ""
        self.answers: list[Turn | Refusal] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.finished = 0
        self._protocol = PROTOCOLS[kind]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.bodies.append(await request.json())
        answer = self.answers.pop(0)
        if isinstance(answer, Refusal):
            return web.json_response(answer.body, status=answer.status, headers={"Location": answer.location})
        response = web.StreamResponse(headers={"Content-Type": self._protocol.content_type})
        await response.prepare(request)
        for part in self._parts(answer):
            await response.write(part)
            await asyncio.sleep(answer.pause_s)
        self.finished += 1
        return response

    def _parts(self, turn: Turn) -> Iterator[bytes]:
        yield self._protocol.start()
        for text in turn.pieces:
            yield self._protocol.piece(text)
        if turn.call is not None:
            yield self._protocol.call(*turn.call)
        if not turn.cut:
            yield self._protocol.end(turn)


@asynccontextmanager
async def vendor(kind: str) -> AsyncIterator[Vendor]:
    served, port = Vendor(kind), listed_port()
    app = web.Application()
    app.router.add_post("/{path:.*}", served.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        served.url = f"http://127.0.0.1:{port}"
        yield served
    finally:
        await runner.cleanup()
