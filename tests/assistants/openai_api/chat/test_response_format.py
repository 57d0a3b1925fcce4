"""Answers in JSON: what was asked for is what the caller gets, whatever the model says first."""

import json
import uuid
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from apikeys.actions import IssuedKey
from tests.assistants.openai_api.conftest import HELLO, Post, error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
WANTED: Any = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA}}
OBJECT: Any = {"type": "json_object"}
GOOD = '{"city": "Brno", "degrees": 7}'


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.mark.parametrize("text", [GOOD, f"```json\n{GOOD}\n```"])
@pytest.mark.parametrize("requested", [WANTED, OBJECT])
def test_json_is_answered_as_json(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, *, text: str, requested: Any
) -> None:
    llm.script(model, {"text": text})
    completion = client.chat.completions.create(model=model, messages=HELLO, response_format=requested)
    assert completion.choices[0].message.content == GOOD
    assert llm.bodies(model)[0]["response_format"]["type"] == requested["type"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("It is cold in Brno.", "not valid JSON"),
        ('{"city": "Brno"}', "'degrees' is a required property"),
        ('{"city": "Brno", "degrees": "7"}', "$.degrees"),
    ],
)
def test_the_model_gets_one_chance_to_repair_its_answer(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, *, text: str, hint: str
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 1}
    llm.script(model, {"text": text, "usage": usage}, {"text": GOOD, "usage": usage})
    completion = client.chat.completions.create(model=model, messages=HELLO, response_format=WANTED)
    assert completion.choices[0].message.content == GOOD
    assert completion.usage is not None
    assert completion.usage.total_tokens == 22
    *_, answer, complained = llm.bodies(model)[1]["messages"]
    assert (answer["role"], answer["content"]) == ("assistant", text)
    assert hint in complained["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_stays_wrong_is_an_error(
    post: Post, llm: ScriptedLLM, model: str, *, stream: bool
) -> None:
    llm.script(model, {"text": "No."}, {"text": "[]"})
    response = post(response_format=OBJECT, stream=stream)
    assert (response.status_code, error_of(response)["code"]) == (502, "upstream_invalid_response")
    assert len(llm.bodies(model)) == 2


def test_a_stream_holds_the_json_alone(
    stack: Stack, key: IssuedKey, client: openai.OpenAI, llm: ScriptedLLM
) -> None:
    slug = f"json-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, stack.server(f"Json {slug[-4:]}"), keys=(key,))
    call = {"name": f"json-{slug[-4:]}__echo", "arguments": {}}
    llm.script(slug, {"text": "Let me look.", "tool_calls": [call]}, {"text": GOOD})
    with client.chat.completions.stream(model=slug, messages=HELLO, response_format=Weather) as stream:
        message = stream.get_final_completion().choices[0].message
    assert (message.content, message.parsed) == (GOOD, Weather(city="Brno", degrees=7))


def test_what_was_cut_off_is_handed_on_as_cut_off(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": '{"city": "Br', "finish_reason": "length"})
    completion = client.chat.completions.create(model=model, messages=HELLO, response_format=WANTED)
    choice = completion.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("length", '{"city": "Br')


def test_a_callers_calls_are_not_held_to_the_format(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Looking.", "tool_calls": [{"name": "look", "arguments": {}}]})
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    completion = client.chat.completions.create(
        model=model, messages=HELLO, response_format=WANTED, tools=tools
    )
    assert completion.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("requested", "param"),
    [
        ({"type": "json_schema"}, "response_format.json_schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 7}}},
            "response_format.json_schema.schema",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "http://127.0.0.1/x"}}},
            "response_format.json_schema.schema",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"patternProperties": {"a": {}}}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_format_that_no_answer_can_have_is_refused(post: Post, requested: Any, param: str) -> None:
    response = post(response_format=requested)
    assert (response.status_code, error_of(response)["param"]) == (400, param)


def test_a_callers_regular_expression_costs_nothing(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    text = json.dumps({"a": "x" * 40 + "!"})
    llm.script(model, {"text": text})
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(x+x+)+$"}}}
    requested = {"type": "json_schema", "json_schema": {"name": "slow", "schema": schema}}
    request = {"model": model, "messages": HELLO, "response_format": requested}
    response = http.post("/v1/chat/completions", json=request, timeout=20)
    assert response.json()["choices"][0]["message"]["content"] == text


def test_a_schema_that_refers_to_itself_without_end_is_an_error(
    post: Post, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "{}", "repeat": True})
    requested = {"type": "json_schema", "json_schema": {"name": "loop", "schema": {"$ref": "#"}}}
    assert post(response_format=requested).status_code in {400, 502}
