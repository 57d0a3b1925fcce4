"""What an LLM service attaches to its turns, its reasoning and refusals, in the Responses API."""

from typing import Any

import httpx
import openai
import pytest

from tests.assistants.agent.turns import SIGNATURE, call, sse
from tests.assistants.openai_api.responses.conftest import LOOK as LOOK_TOOL
from tests.assistants.openai_api.responses.test_stream import streamed
from tests.llm import ScriptedLLM

THOUGHT = {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0}]}
LOOK = call("look", '{"at":"sky"}', index=0, id="functions.look:0", extra_content=SIGNATURE)
ECHO = call("respondents__echo", '{"say":"hi"}', index=0, id="functions.echo:0", extra_content=SIGNATURE)
TOOLS: Any = [LOOK_TOOL]


def sent(llm: ScriptedLLM, model: str) -> list[dict[str, Any]]:
    return list(llm.bodies(model)[-1]["messages"][1:])


@pytest.mark.parametrize("way", ["previous_response_id", "items", "items without what is unknown"])
def test_a_turn_returns_by_way_of_the_caller(
    client: openai.OpenAI, llm: ScriptedLLM, equipped: str, way: str
) -> None:
    llm.script(
        equipped,
        sse({**THOUGHT, "tool_calls": [ECHO]}),
        sse({**THOUGHT, "tool_calls": [LOOK]}),
        {"text": "Blue."},
    )
    first = client.responses.create(model=equipped, input="Look", tools=TOOLS, store=way[0] == "p")
    items = [item.model_dump(exclude_none=True) for item in first.output]
    kinds = ["mcp_list_tools", "reasoning", "mcp_call", "reasoning", "function_call"]
    assert [item["type"] for item in items] == kinds
    assert items[-1]["extra_content"] == SIGNATURE
    result = {"type": "function_call_output", "call_id": items[-1]["call_id"], "output": "blue"}
    question = {"role": "user", "content": "Look"}
    if way == "previous_response_id":
        more: Any = {"previous_response_id": first.id, "input": [result]}
    elif way == "items":
        more = {"input": [question, *items, result]}
    else:
        items[-1].pop("extra_content")
        more = {"input": [question, *(each for each in items if each["type"] != "reasoning"), result]}
    assert client.responses.create(model=equipped, tools=TOOLS, **more).output_text == "Blue."
    turns = [message for message in sent(llm, equipped) if message["role"] == "assistant"]
    for turn, original in zip(turns, (ECHO, LOOK), strict=True):
        assert {name: turn[name] for name in THOUGHT} == THOUGHT
        [returned] = turn["tool_calls"]
        assert (returned["id"], returned["extra_content"]) == (original["id"], SIGNATURE)
    assert len(llm.bodies(equipped)) == 3


def test_the_events_of_reasoning(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(
        model, sse({"reasoning_content": "Hm"}, {"reasoning_content": "."}, {"content": "Hi"}, finish="stop")
    )
    events = streamed(http, model, reasoning={"summary": "auto"})
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[2:9] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert [event["summary_index"] for event in events[3:8]] == [0] * 5
    assert [event["delta"] for event in events[4:6]] == ["Hm", "."]
    reasoning, message = events[-1]["response"]["output"]
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert reasoning["id"].startswith("rs_")
    assert message["content"][0]["text"] == "Hi"
    assert events[-1]["response"]["reasoning"] == {"effort": None, "summary": "auto"}


def test_reasoning_that_nobody_asked_for_has_no_summary(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, sse({"reasoning_content": "Hm"}, {"content": "Hi"}, finish="stop"))
    response = client.responses.create(model=model, input="Hello")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output[0].summary == []  # type: ignore[union-attr]
    assert "Hm" not in response.model_dump_json()


def test_a_summary_that_comes_back_is_reasoning_of_its_call(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Blue."})
    given: Any = [
        {"role": "user", "content": "Look"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}", "extra_content": 1},
        {"type": "function_call_output", "call_id": "c1", "output": "blue"},
    ]
    client.responses.create(model=model, input=given, tools=TOOLS)
    turn = sent(llm, model)[0]
    assert turn["reasoning_content"] == "Hm."
    assert turn["tool_calls"] == [call("look", "{}", id="c1", extra_content=1)]


def test_a_refusal(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    steps = sse({"content": "So:"}, {"refusal": "I will"}, {"refusal": " not."}, finish="stop")
    llm.script(model, steps, {"text": "Fine."})
    events = streamed(http, model)
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[2:-1] == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]
    [message] = events[-1]["response"]["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
    assert message["content"][1] == {"type": "refusal", "refusal": "I will not."}
    response_id = events[-1]["response"]["id"]
    again = {"model": model, "input": "Go on", "previous_response_id": response_id}
    assert http.post("/v1/responses", json=again).status_code == 200


def test_details_of_usage(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    llm.script(
        model, sse({"content": "Hi"}, finish="stop", usage=usage), sse({"content": "Hi"}, finish="stop")
    )
    counted = http.post("/v1/responses", json={"model": model, "input": "Hello"}).json()
    assert counted["usage"]["input_tokens_details"]["cached_tokens"] == 8
    assert counted["usage"]["output_tokens_details"]["reasoning_tokens"] == 3
    assert "usage_estimated" not in counted["mcp_connector"]
    estimated = http.post("/v1/responses", json={"model": model, "input": "Hello"}).json()
    assert estimated["mcp_connector"]["usage_estimated"] is True
