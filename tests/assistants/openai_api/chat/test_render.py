import asyncio
import json
from typing import Any

from assistants.events import (
    ClientToolCall,
    ClientToolCalls,
    Event,
    Finished,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UnavailableTool,
    Usage,
)
from assistants.openai_api.chat.render import Chunks, Completion

STARTED = ToolStarted("c1", "time__now", "Time", "now", {"timezone": "UTC"})
ENDED = ToolFinished("c1", "time__now", "ok", 12)
CALL = {
    "id": "c1",
    "name": "time__now",
    "server": "Time",
    "function": "now",
    "arguments": {"timezone": "UTC"},
    "status": "ok",
    "duration_ms": 12,
}
RUN: list[Event] = [
    TextDelta("Let me look."),
    STARTED,
    ENDED,
    TextDelta('It is "noon"\n\ndata: [DONE]\n\n'),
    Usage(10, 5),
    Finished("stop", 2, (UnavailableTool("Weather", "it crashed"),)),
]
EXTENSION = {
    "tool_calls": [CALL],
    "unavailable_tools": [{"server": "Weather", "reason": "it crashed"}],
    "rounds": 2,
}
CLIENT_RUN: list[Event] = [
    ClientToolCalls((ClientToolCall("a", "look", '{"x":1}'), ClientToolCall("b", "see", "{}"))),
    Usage(1, 1),
    Finished("tool_calls", 1),
]


def chunks_of(events: list[Event], *, include_usage: bool = False) -> list[dict[str, Any]]:
    chunks = Chunks("helper", include_usage=include_usage)
    sent = chunks.begin() + asyncio.run(chunks.render(events))
    lines = sent.decode().split("\n\n")
    assert lines.pop() == ""
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def completion_of(events: list[Event]) -> dict[str, Any]:
    completion = Completion("helper")
    for event in events:
        completion.add(event)
    return completion.body()


def test_chunks_come_in_openais_order() -> None:
    deltas = [chunk["choices"][0] for chunk in chunks_of(RUN)]
    assert deltas[0] == {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    assert deltas[-1] == {"index": 0, "delta": {}, "finish_reason": "stop"}
    assert [choice["finish_reason"] for choice in deltas[:-1]] == [None] * (len(deltas) - 1)
    text = "".join(choice["delta"].get("content", "") for choice in deltas)
    assert text == 'Let me look.It is "noon"\n\ndata: [DONE]\n\n'


def test_every_chunk_has_choices_and_the_same_head() -> None:
    chunks = chunks_of(RUN, include_usage=True)
    assert all("choices" in chunk for chunk in chunks)
    heads = {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks}
    assert len(heads) == 1
    assert {head[1] for head in heads} == {"chat.completion.chunk"}


def test_usage_comes_last_and_only_when_asked_for() -> None:
    assert not any("usage" in chunk for chunk in chunks_of(RUN))
    *others, last = chunks_of(RUN, include_usage=True)
    assert not any("usage" in chunk for chunk in others)
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def test_calls_of_server_tools_are_in_the_extension_and_never_in_tool_calls() -> None:
    chunks = chunks_of(RUN)
    assert not any("tool_calls" in choice["delta"] for chunk in chunks for choice in chunk["choices"])
    extensions = [chunk["mcp_connector"] for chunk in chunks if "mcp_connector" in chunk]
    running = {name: CALL[name] for name in ("id", "name", "server", "function", "arguments")}
    assert extensions == [
        {"tool_calls": [running | {"status": "running"}]},
        {"tool_calls": [CALL]},
        EXTENSION,
    ]


def test_a_failed_call_says_why() -> None:
    chunks = chunks_of([STARTED, ToolFinished("c1", "time__now", "error", 3, "tool_timeout")])
    (call,) = chunks[-1]["mcp_connector"]["tool_calls"]
    assert (call["status"], call["error"], call["duration_ms"]) == ("error", "tool_timeout", 3)


def test_the_callers_tools_are_called_in_fragments() -> None:
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(CLIENT_RUN)]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    first = {"id": "a", "type": "function", "index": 0, "function": {"name": "look", "arguments": ""}}
    assert calls[0] == first
    assert calls[1] == {"index": 0, "function": {"arguments": '{"x":1}'}}
    assert [call["index"] for call in calls] == [0, 0, 1, 1]
    assert chunks_of(CLIENT_RUN)[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_completion_holds_it_all() -> None:
    body = completion_of(RUN)
    (choice,) = body["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": 'Let me look.It is "noon"\n\ndata: [DONE]\n\n',
        "refusal": None,
        "mcp_connector": EXTENSION,
    }
    assert choice["finish_reason"] == "stop"
    assert (body["object"], body["model"]) == ("chat.completion", "helper")
    assert body["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def test_a_completion_hands_the_callers_tools_back() -> None:
    (choice,) = completion_of(CLIENT_RUN)["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "see", "arguments": "{}"}},
    ]
    assert choice["finish_reason"] == "tool_calls"


def test_an_empty_answer_is_text() -> None:
    assert completion_of([Usage(1, 0), Finished("stop", 1)])["choices"][0]["message"]["content"] == ""
