"""Fields of both requests that arrive at the LLM service as they came."""

from typing import Any

import httpx
import pytest

from tests.assistants.openai_api.conftest import HELLO, Post, error_of
from tests.llm import ScriptedLLM

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501
LOOK = {"type": "function", "function": {"name": "look"}}
SHARED: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.25,
    "presence_penalty": 1.5,
    "frequency_penalty": -1.5,
    "service_tier": "flex",
    "user": "Ann Ä",
    "safety_identifier": "an-id",
    "prompt_cache_key": "a key",
    "prompt_cache_retention": "24h",
    "parallel_tool_calls": False,
}
OF_CHAT: dict[str, Any] = {
    "seed": 7,
    "stop": ["END", "\n"],
    "logit_bias": {"50256": -100},
    "verbosity": "high",
    "reasoning_effort": "low",
    "prediction": {"type": "content", "content": "Hello"},
    "response_format": {"type": "json_object"},
}


def test_parameters_of_a_chat(post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "{}"})
    assert post(**SHARED, **OF_CHAT, tools=[LOOK]).status_code == 200
    [body] = llm.bodies(model)
    assert {name: body.get(name) for name in SHARED | OF_CHAT} == SHARED | OF_CHAT


def test_parameters_of_a_response(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    tool = {"type": "function", "name": "look"}
    fields = {**SHARED, "text": {"verbosity": "high"}, "tools": [tool]}
    response = http.post("/v1/responses", json={"model": model, "input": "Hello", **fields}).json()
    [body] = llm.bodies(model)
    assert {name: body.get(name) for name in SHARED} == SHARED
    assert {name: response[name] for name in SHARED} == SHARED
    assert (body["verbosity"], response["text"]["verbosity"]) == ("high", "high")


def test_the_detail_of_an_image_and_the_name_of_an_author(post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "A pixel."})
    image = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
    messages = [
        {"role": "user", "name": "Ann", "content": "Look at this."},
        {"role": "assistant", "name": "Bot", "content": "At what?"},
        {"role": "system", "name": "desk", "content": "An image comes."},
        {"role": "user", "name": "Ben", "content": [image]},
    ]
    assert post(messages=messages).status_code == 200
    assert llm.bodies(model)[0]["messages"] == messages


def test_the_detail_of_an_image_in_a_response(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "A pixel."})
    parts = [{"type": "input_image", "image_url": PIXEL, "detail": "high"}]
    body = {"model": model, "input": [{"role": "user", "content": parts}]}
    assert http.post("/v1/responses", json=body).status_code == 200
    [message] = llm.bodies(model)[0]["messages"]
    assert message["content"] == [{"type": "image_url", "image_url": {"url": PIXEL, "detail": "high"}}]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_only_allowed_tools_are_offered(post: Post, llm: ScriptedLLM, model: str, mode: str) -> None:
    llm.script(model, {"text": "Hm.", "repeat": True})
    other = {"type": "function", "function": {"name": "listen"}}
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [LOOK]}}
    assert post(tools=[LOOK, other], tool_choice=choice).status_code == 200
    body = llm.bodies(model)[0]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["look"]
    assert body["tool_choice"] == mode


def test_an_unknown_allowed_tool_is_refused(post: Post) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [LOOK]}}
    answer = post(messages=HELLO, tool_choice=choice)
    error = error_of(answer)
    assert (answer.status_code, error["param"]) == (400, "tool_choice.allowed_tools.tools[0].function.name")
