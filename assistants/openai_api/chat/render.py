"""Renders a run as a chat completion, or as its chunks. Our own fields are in `mcp_connector`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from assistants.events import (
    ApprovalStep,
    ClientToolCall,
    ClientToolCalls,
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Usage,
)
from assistants.openai_api import errors
from assistants.openai_api.chat.tool_call_rendering import Rendering, ToolCallRenderer
from assistants.openai_api.sse import DONE, error_event
from core import ids

_DELTA_NAMES: dict[type, bytes] = {
    TextDelta: b"content",
    ReasoningDelta: b"reasoning_content",
    RefusalDelta: b"refusal",
}


@dataclass(slots=True)
class Head:
    """The fields that all chunks of an answer share."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{ids.unique()}")
    created: int = field(default_factory=lambda: int(time.time()))

    def fields(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


@dataclass(slots=True)
class ServerCalls:
    """The calls of our servers' tools so far, by call id: the `tool_calls` of `mcp_connector`.

    They are never OpenAI's `tool_calls`: clients would try to make them. `extension` has the other fields of
    `mcp_connector`: the ids of run and session, and which assistant was routed to.
    """

    extension: Mapping[str, Any] = field(default_factory=dict)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    approvals: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The approvals that the calls need or had, by number."""

    def started(self, event: ToolStarted) -> dict[str, Any]:
        call = {
            "id": event.call_id,
            "name": event.public_name,
            "server": event.server,
            "function": event.function,
            "arguments": event.arguments,
            "status": "running",
        }
        return self.calls.setdefault(event.call_id, call)

    def finished(self, event: ToolFinished) -> dict[str, Any]:
        call = self.calls.setdefault(event.call_id, {"id": event.call_id, "name": event.public_name})
        call |= {"status": event.status, "duration_ms": event.duration_ms}
        if event.error is not None:
            call["error"] = event.error
        return call

    def approved(self, event: ApprovalStep) -> dict[str, Any]:
        """The step as the extension has it: how far the approval is by now."""
        step = {
            "number": event.number,
            "state": event.state,
            "server": event.server,
            "function": event.function,
        }
        self.approvals[event.number] = step
        return step

    def whole_extension(self, end: Finished, used: Usage) -> dict[str, Any]:
        estimated = {"usage_estimated": True} if used.is_estimated else {}
        return {
            "tool_calls": list(self.calls.values()),
            "unavailable_tools": [asdict(tool) for tool in end.unavailable],
            "rounds": end.rounds,
            **estimated,
            **({"approvals": list(self.approvals.values())} if self.approvals else {}),
            **self.extension,
        }


class Completion:
    """Collects a run into one answer."""

    def __init__(
        self, model: str, extension: Mapping[str, Any] | None = None, rendering: Rendering = "none"
    ) -> None:
        self.head = Head(model)
        self.server_calls = ServerCalls(extension or {})
        self._renderer = ToolCallRenderer(rendering)
        self._texts: dict[type, list[str]] = {kind: [] for kind in _DELTA_NAMES}
        self._client_calls: tuple[ClientToolCall, ...] = ()
        self._usage = Usage(0, 0)
        self._end = Finished("stop", 0)

    @property
    def ran_tools(self) -> bool:
        return bool(self.server_calls.calls)

    def add(self, event: Event) -> None:
        match event:
            case TextDelta() | RefusalDelta() | ReasoningDelta():
                self._texts[type(event)].append(event.text)
                if isinstance(event, ReasoningDelta):
                    self._renderer.add_reasoning(event)
            case ToolStarted():
                self.server_calls.started(event)
                self._renderer.start(event)
            case ToolFinished():
                self.server_calls.finished(event)
                for shown in self._renderer.finish(event):
                    self.add(shown)
            case ApprovalStep():
                self.server_calls.approved(event)
            case ClientToolCalls():
                self._client_calls = event.calls
            case Usage():
                self._usage = event
            case Finished():
                self._end = event

    def body(self) -> dict[str, Any]:
        choice = {
            "index": 0,
            "message": self._message(),
            "logprobs": None,
            "finish_reason": self._end.finish_reason,
        }
        return {**self.head.fields("chat.completion"), "choices": [choice], "usage": usage(self._usage)}

    def _message(self) -> dict[str, Any]:
        text, reasoning, refusal = ("".join(self._texts[kind]) for kind in _DELTA_NAMES)
        message: dict[str, Any] = {
            **self._end.attached,
            "role": "assistant",
            "content": None if (self._client_calls or refusal) and not text else text,
            "refusal": refusal or None,
        }
        if self._client_calls:
            message["tool_calls"] = [call.openai for call in self._client_calls]
        if reasoning:
            message["reasoning_content"] = reasoning
        message["mcp_connector"] = self.server_calls.whole_extension(self._end, self._usage)
        return message


class Chunks:
    """Renders a run's events as chunks, for `sse.stream`. Each chunk has `choices`: clients break without."""

    def __init__(
        self,
        model: str,
        extension: Mapping[str, Any] | None = None,
        rendering: Rendering = "none",
        *,
        include_usage: bool,
    ) -> None:
        self._include_usage = include_usage
        self._server_calls = ServerCalls(extension or {})
        self._renderer = ToolCallRenderer(rendering)
        self._usage = Usage(0, 0)
        head = orjson.dumps(Head(model).fields("chat.completion.chunk"))[:-1]
        self._before = b"data: " + head + b',"choices":[{"index":0,"delta":'
        self._after = b',"finish_reason":null}]}\n\n'
        self._no_choices = b"data: " + head + b',"choices":[],"usage":'

    def begin(self) -> bytes:
        return self._before + b'{"role":"assistant","content":""}' + self._after

    async def render(self, events: Sequence[Event]) -> bytes:
        return b"".join(map(self._render, events))

    async def fail(self, error: Exception) -> bytes:
        return error_event(errors.envelope(error))

    def end(self) -> bytes:
        return DONE

    def _render(self, event: Event) -> bytes:
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                if isinstance(event, ReasoningDelta):
                    self._renderer.add_reasoning(event)
                delta = b'{"' + _DELTA_NAMES[type(event)] + b'":' + orjson.dumps(event.text) + b"}"
                return self._before + delta + self._after
            case ToolStarted() | ToolFinished() | ApprovalStep():
                return b"".join(self._server_step(event))
            case ClientToolCalls():
                return b"".join(self._client_call(index, call) for index, call in enumerate(event.calls))
            case Usage():
                self._usage = event
                return b""
            case Finished():
                return self._finish(event)

    def _server_step(self, event: ToolStarted | ToolFinished | ApprovalStep) -> Iterator[bytes]:
        match event:
            case ToolStarted():
                self._renderer.start(event)
                yield self._server_call(self._server_calls.started(event))
            case ToolFinished():
                yield self._server_call(self._server_calls.finished(event))
                yield from map(self._render, self._renderer.finish(event))
            case ApprovalStep():
                yield self._extended(None, {"approvals": [self._server_calls.approved(event)]})

    def _server_call(self, call: dict[str, Any]) -> bytes:
        return self._extended(None, {"tool_calls": [call]})

    def _client_call(self, index: int, call: ClientToolCall) -> bytes:
        """Two fragments, as OpenAI's own: one that names the call, one with its arguments."""
        whole = call.openai
        first = whole | {"index": index, "function": {**whole["function"], "arguments": ""}}
        second = {"index": index, "function": {"arguments": call.arguments}}
        fragments = (orjson.dumps({"tool_calls": [each]}) for each in (first, second))
        return b"".join(self._before + fragment + self._after for fragment in fragments)

    def _finish(self, event: Finished) -> bytes:
        # In one piece: clients cannot add up parts of a field that they do not know.
        attached = self._before + orjson.dumps(event.attached) + self._after if event.attached else b""
        extension = self._server_calls.whole_extension(event, self._usage)
        end = attached + self._extended(event.finish_reason, extension)
        if not self._include_usage:
            return end
        return end + self._no_choices + orjson.dumps(usage(self._usage)) + b"}\n\n"

    def _extended(self, finish_reason: str | None, extension: dict[str, Any]) -> bytes:
        finish, ours = orjson.dumps(finish_reason), orjson.dumps(extension)
        return self._before + b'{},"finish_reason":' + finish + b'}],"mcp_connector":' + ours + b"}\n\n"


def usage(event: Usage) -> dict[str, Any]:
    """Returns OpenAI's usage object, with the details that the LLM service reported."""
    counts: dict[str, Any] = {
        "prompt_tokens": event.prompt_tokens,
        "completion_tokens": event.completion_tokens,
        "total_tokens": event.prompt_tokens + event.completion_tokens,
    }
    if event.prompt_details:
        counts["prompt_tokens_details"] = event.prompt_details
    if event.completion_details:
        counts["completion_tokens_details"] = event.completion_details
    return counts
