"""Chats over HTTP with openai-python, streamed and not."""

import json
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from tests.assistants.openai_api.conftest import HELLO
from tests.llm import ScriptedLLM
from tests.stack import Stack

LOOK = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}
USAGE = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}


def events_of(http: httpx.Client, **fields: Any) -> list[str]:
    """What a streamed answer holds, event by event."""
    with http.stream(
        "POST", "/v1/chat/completions", json={"messages": HELLO, "stream": True, **fields}
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-request-id"]
        *events, rest = answer.read().decode().split("\n\n")
    assert rest == ""
    return events


def chunks_of(events: list[str]) -> list[dict[str, Any]]:
    """The chunks of a stream that ended well."""
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1] if not event.startswith(":")]


def test_an_answer(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Good morning, wörld.", "usage": USAGE})
    completion = client.chat.completions.create(model=model, messages=HELLO)
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("Good morning, wörld.", "stop")
    assert choice.message.tool_calls is None
    assert (completion.model, completion.object) == (model, "chat.completion")
    assert completion.usage.model_dump(exclude_none=True) == USAGE
    assert choice.message.mcp_connector.pop("run_id").startswith("run_")
    assert choice.message.mcp_connector == {"tool_calls": [], "unavailable_tools": [], "rounds": 1}


def test_a_streamed_answer(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "One two three.", "usage": USAGE})
    chunks = chunks_of(events_of(http, model=model, stream_options={"include_usage": True}))
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all("choices" in chunk and "error" not in chunk for chunk in chunks)
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    *deltas, finish, usage = chunks
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in deltas)
    assert text == "One two three."
    assert {chunk["choices"][0]["finish_reason"] for chunk in deltas} == {None}
    assert (finish["choices"][0]["finish_reason"], finish["choices"][0]["delta"]) == ("stop", {})
    assert (usage["choices"], usage["usage"]) == ([], USAGE)


def test_no_usage_unless_asked_for(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "One."})
    assert not any(chunk.get("usage") for chunk in chunks_of(events_of(http, model=model)))


def test_the_same_routes_answer_under_api_v1(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Here too."})
    answer = http.post("/api/v1/chat/completions", json={"model": model, "messages": HELLO})
    assert answer.json()["choices"][0]["message"]["content"] == "Here too."
    assert model in [each["id"] for each in http.get("/api/v1/models").json()["data"]]


async def test_the_async_sdk_puts_a_stream_together(
    async_client: openai.AsyncOpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Bit by bit. 漢字 and 👩‍🔬."})
    async with async_client.chat.completions.stream(model=model, messages=HELLO) as stream:
        pieces = [event.delta async for event in stream if event.type == "content.delta"]
        completion = await stream.get_final_completion()
    assert len(pieces) > 1
    assert completion.choices[0].message.content == "".join(pieces) == "Bit by bit. 漢字 and 👩‍🔬."
    assert completion.choices[0].message.tool_calls is None


def test_text_cannot_forge_an_event(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    text = 'x\n\ndata: [DONE]\n\nevent: error\ndata: {"error": 1}\n\n'
    llm.script(model, {"text": text})
    chunks = chunks_of(events_of(http, model=model))
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == text


@pytest.mark.parametrize("stream", [False, True])
def test_the_callers_tools_are_handed_back(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(
        model,
        {"tool_calls": [{"name": "look", "arguments": {"at": "the sky"}, "id": "call_1"}]},
        {"text": "Blue."},
    )
    if stream:
        with client.chat.completions.stream(model=model, messages=HELLO, tools=[LOOK]) as events:
            first = events.get_final_completion()
    else:
        first = client.chat.completions.create(model=model, messages=HELLO, tools=[LOOK])
    (choice,) = first.choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("look", {"at": "the sky"})
    calls = [
        {"id": call.id, "type": "function", "function": {"name": "look", "arguments": '{"at":"the sky"}'}}
    ]
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": call.id, "content": "It is blue."},
    ]
    second = client.chat.completions.create(model=model, messages=messages, tools=[LOOK])
    assert second.choices[0].message.content == "Blue."
    last = llm.bodies(model)[-1]["messages"][-1]
    assert (last["role"], last["content"]) == ("tool", "It is blue.")


def test_sampling_reaches_the_model(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Yes."})
    client.chat.completions.create(
        model=model, messages=HELLO, temperature=0.3, seed=7, stop=["END"], max_completion_tokens=99
    )
    (body,) = llm.bodies(model)
    assert (body["temperature"], body["seed"], body["stop"]) == (0.3, 7, ["END"])
    assert 99 in (body.get("max_tokens"), body.get("max_completion_tokens"))


@pytest.mark.parametrize(
    "choice", ["none", "auto", "required", {"type": "function", "function": {"name": "look"}}]
)
def test_every_tool_choice_is_accepted(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, choice: Any
) -> None:
    llm.script(model, {"text": "Yes."})
    client.chat.completions.create(model=model, messages=HELLO, tools=[LOOK], tool_choice=choice)
    assert len(llm.requests(model)) == 1


def test_a_forced_tool_must_be_there(client: openai.OpenAI, model: str) -> None:
    choice = {"type": "function", "function": {"name": "fly"}}
    with pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(model=model, messages=HELLO, tools=[LOOK], tool_choice=choice)
    assert refusal.value.param == "tool_choice.function.name"


def test_two_tools_of_one_name_are_refused(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(model=model, messages=HELLO, tools=[LOOK, LOOK])
    assert (refusal.value.param, refusal.value.code) == ("tools[1].function.name", "tool_name_conflict")


def test_models_are_those_that_the_key_may_call(
    client: openai.OpenAI, stack: Stack, key: IssuedKey, model: str
) -> None:
    other = stack.key(f"other-than-{model}")
    stack.assistant(f"not-{model[:40]}", keys=(other,))
    ids = [each.id for each in client.models.list()]
    assert model in ids
    assert f"not-{model[:40]}" not in ids
    assert client.models.retrieve(model).owned_by == "mcp-connector"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(f"not-{model[:40]}")
