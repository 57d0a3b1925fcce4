"""A response as a stream of events: their order, their numbers, and what ends them early."""

import json
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import httpx
import openai
import pytest

from tests.assistants.openai_api.responses.conftest import ECHO, LOOK
from tests.llm import ScriptedLLM

Events = list[dict[str, Any]]
BEGUN = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"one "}}]}\n\n'


def events_of(answer: str, *, first: int = 0) -> Events:
    """Those of a raw stream, whose form is checked."""
    frames = (frame for frame in answer.split("\n\n") if frame and not frame.startswith(":"))
    return list(checked(frames, first))


def checked(frames: Iterator[str], first: int) -> Iterator[dict[str, Any]]:
    for number, frame in zip(count(first), frames, strict=False):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert (name, event["sequence_number"]) == (f"event: {event['type']}", number)
        yield event


def streamed(http: httpx.Client, model: str, **fields: Any) -> Events:
    body = {"model": model, "input": "Hello", "stream": True} | fields
    return events_of(http.post("/v1/responses", json=body).text)


def test_the_events_of_a_text(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello back."})
    events = streamed(http, model)
    kinds = [event["type"].removeprefix("response.") for event in events]
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == "Hello back."
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * len(deltas),
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["response"]["status"] for event in events if "response" in event] == [
        "in_progress",
        "in_progress",
        "completed",
    ]
    assert events[0]["response"].keys() == events[-1]["response"].keys() - {"mcp_connector"}
    assert events[0]["response"]["output"] == []
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello back."


def test_the_events_of_a_server_tool(http: httpx.Client, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(equipped, {"tool_calls": [ECHO]}, {"text": "It said hi."})
    events = streamed(http, equipped)
    kinds = [event["type"].removeprefix("response.") for event in events if event.get("output_index") == 1]
    assert kinds == [
        "output_item.added",
        "mcp_call.in_progress",
        "mcp_call_arguments.delta",
        "mcp_call_arguments.done",
        "mcp_call.completed",
        "output_item.done",
    ]
    listing = [event["type"].removeprefix("response.") for event in events if event.get("output_index") == 0]
    assert listing == [
        "output_item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "output_item.done",
    ]


def test_the_sdk_puts_it_together(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    """Its helper refuses items whose identity changes, and content before its item."""
    llm.script(equipped, {"text": "Wait.", "tool_calls": [ECHO]}, {"text": "It said hi."})
    with client.responses.stream(model=equipped, input="Say hi") as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
        response = stream.get_final_response()
    assert "".join(texts) == response.output_text == "Wait.It said hi."
    assert [item.type for item in response.output] == ["mcp_list_tools", "message", "mcp_call", "message"]


def test_a_tool_of_the_callers(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"tool_calls": [{"name": "look", "arguments": {"at": "it"}}]})
    with client.responses.stream(model=model, input="Look", tools=[LOOK]) as stream:  # type: ignore[list-item]
        seen = [event for event in stream if event.type.startswith("response.function_call_arguments")]
        response = stream.get_final_response()
    assert [event.type for event in seen] == [
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    ]
    (call,) = response.output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"at": "it"}


def test_a_failure_before_the_first_byte_is_a_status(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"status": 401, "body": "{}"})
    with pytest.raises(openai.APIStatusError) as failed:
        client.responses.create(model=model, input="Hello", stream=True)
    assert (failed.value.status_code, failed.value.code) == (502, "upstream_auth_error")


def test_a_later_failure_is_streamed_and_stored(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"sse": [BEGUN, 'data: {"error":{"message":"secret"}}\n\n']})
    *_, item, error, failed = streamed(http, model)
    assert (item["type"], item["item"]["status"]) == ("response.output_item.done", "incomplete")
    assert error["type"] == "error"
    assert error["code"] == error["error"]["code"] == "upstream_error"
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"]["code"] == "server_error"
    assert "secret" not in json.dumps([error, failed])
    stored = http.get(f"/v1/responses/{failed['response']['id']}").json()
    assert (stored["status"], stored["error"]) == ("failed", failed["response"]["error"])
    assert stored["output"][0]["content"][0]["text"] == "one "


def test_the_sdk_raises_a_later_failure(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"sse": [BEGUN, 'data: {"error":{"message":"no"}}\n\n']})
    with pytest.raises(openai.APIError) as failed:
        list(client.responses.create(model=model, input="Hello", stream=True))
    assert failed.value.code == "upstream_error"


def test_a_silent_tool_is_bridged_by_heartbeats(http: httpx.Client, llm: ScriptedLLM, equipped: str) -> None:
    sleep = {"tool_calls": [{"name": "respondents__sleep", "arguments": {"s": 2.5}}]}
    llm.script(equipped, sleep, {"text": "Awake."})
    body = {"model": equipped, "input": "Sleep", "stream": True}
    answer = http.post("/v1/responses", json=body).text
    assert answer.count(": still working") >= 2
    assert events_of(answer)[-1]["type"] == "response.completed"


def test_leaving_cancels_the_run(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "word " * 100, "chunk_delay_s": 0.1})
    with client.responses.create(model=model, input="Hello", stream=True) as stream:
        next(event for event in stream if event.type == "response.output_text.delta")
    llm.wait_for_outcome(model, "disconnected", within_s=8)


def test_a_response_can_be_continued_as_soon_as_its_last_event_is_sent(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "One."}, {"text": "Two."})
    for event in client.responses.create(model=model, input="Count", stream=True):
        if event.type == "response.completed":
            more = client.responses.create(model=model, input="More", previous_response_id=event.response.id)
            assert more.output_text == "Two."


def test_numbers_only_grow(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(equipped, {"tool_calls": [ECHO, ECHO]}, {"text": "Done."})
    events = list(client.responses.create(model=equipped, input="Say hi", stream=True))
    assert all(later.sequence_number == event.sequence_number + 1 for event, later in pairwise(events))
