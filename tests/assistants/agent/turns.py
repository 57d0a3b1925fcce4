"""Turns as real LLM services send them, and what becomes of them."""

import json
from typing import Any

from assistants.events import (
    ClientToolCall,
    ClientToolCalls,
    Event,
)
from tests.assistants.agent.conftest import client_tool

SIGNATURE = {"google": {"thought_signature": "c2ln"}}
WEATHER = [client_tool("weather"), client_tool("look")]


def sse(*deltas: dict[str, Any], finish: str = "tool_calls", **more: Any) -> dict[str, Any]:
    """A step of a stream, of these deltas."""
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **more}
    return {"sse": [f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks, end]] + ["data: [DONE]\n\n"]}


def whole(message: dict[str, Any], finish: str = "tool_calls", **more: Any) -> dict[str, Any]:
    """A step of a service that does not stream."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"body": json.dumps({"choices": [choice], **more})}


def call(name: str = "ghost", arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    return {**more, "type": "function", "function": {"name": name, "arguments": arguments}}


def client_calls(events: list[Event]) -> tuple[ClientToolCall, ...]:
    [event] = [event for event in events if isinstance(event, ClientToolCalls)]
    return event.calls


def escaped(text: str) -> dict[str, Any]:
    """A step whose one delta is this JSON text, as it is."""
    return {
        "sse": [f'data: {{"choices":[{{"index":0,"delta":{each}}}]}}\n\n' for each in text.split("|")]
        + ['data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n', "data: [DONE]\n\n"]
    }
