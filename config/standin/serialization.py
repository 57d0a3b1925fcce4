"""The stand-in's answers in the shapes of the OpenAI API: a completion, or the events of a stream.

Text and arguments are split into several deltas, so that a client meets what a real service sends.
"""

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_WORDS = re.compile(r"\s*\S+|\s+")
_FRAGMENT = 8  # characters of a call's arguments in one delta


def new_call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: str
    id: str = field(default_factory=new_call_id)


@dataclass(frozen=True, slots=True)
class Answer:
    text: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str = ""
    usage: dict[str, Any] | None = None
    """In place of the estimated one."""

    @property
    def finish(self) -> str:
        return self.finish_reason or ("tool_calls" if self.calls else "stop")


def completion(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = [_call(call) for call in answer.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    return {**_head(body, "chat.completion"), "choices": [choice], "usage": usage(body, answer)}


def events(body: dict[str, Any], answer: Answer) -> Iterator[bytes]:
    """Yields server-sent events: role, text and calls, the finish reason, usage if asked for, [DONE]."""
    head = _head(body, "chat.completion.chunk")
    for delta in [{"role": "assistant", "content": ""}, *_text_deltas(answer.text), *_call_deltas(answer)]:
        yield _event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event(head | {"choices": [], "usage": usage(body, answer)})
    yield b"data: [DONE]\n\n"


def usage(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """Returns an estimate, of one token for four characters."""
    if answer.usage is not None:
        return answer.usage
    prompt = 1 + len(json.dumps(body["messages"])) // 4
    written = 1 + (len(answer.text) + sum(len(call.name + call.arguments) for call in answer.calls)) // 4
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def error(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": str(body.get("model", "")),
    }


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _text_deltas(text: str) -> Iterator[dict[str, Any]]:
    return ({"content": word} for word in _WORDS.findall(text))


def _call_deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(answer.calls):
        first = _call(call) | {"index": index, "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [first]}
        for start in range(0, len(call.arguments), _FRAGMENT):
            fragment = call.arguments[start : start + _FRAGMENT]
            yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"
