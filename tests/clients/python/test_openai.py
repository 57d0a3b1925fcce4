"""openai-python: chat completions, raw and by its helpers."""

import json
from collections.abc import Sequence
from typing import Any

import openai
import product
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from product import ECHO, LOOK
from pydantic import BaseModel

Messages = Sequence[Any]
ASK = [{"role": "user", "content": "Hello"}]
LOOKING = {"name": "look", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": LOOKING}]
FAILURE = {"text": "one two three", "cut_after": 3}


class City(BaseModel):
    name: str
    people: int


@pytest.fixture(scope="module")
def client() -> openai.OpenAI:
    return openai.OpenAI(api_key=product.KEY, base_url=product.URL, max_retries=0, timeout=20)


def test_text(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model=product.assistant({"text": "Good day."}), messages=ASK)
    [choice] = completion.choices
    assert (choice.message.content, choice.message.tool_calls) == ("Good day.", None)
    assert choice.finish_reason == "stop"
    assert completion.usage.total_tokens > 0


def test_a_stream_keeps_its_order(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=product.assistant({"text": "one two"}),
        messages=ASK,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, finish, usage = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "one", " two"]
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}
    assert finish.choices[0].finish_reason == "stop"
    assert usage.choices == []
    assert usage.usage.total_tokens > 0
    assert len({(chunk.id, chunk.created) for chunk in (*chunks, finish, usage)}) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_our_tools_run_unseen(client: openai.OpenAI, streamed: bool) -> None:
    model = product.assistant({"text": "Wait. ", "tool_calls": [ECHO]}, {"text": "It said hi."})
    completion = finished(client, model, streamed)
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("Wait. It said hi.", "stop")
    assert not choice.message.tool_calls


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_of_the_client(client: openai.OpenAI, streamed: bool) -> None:
    model = product.assistant({"tool_calls": [LOOK]}, {"text": "It is blue."})
    completion = finished(client, model, streamed, tools=TOOLS)
    message = called(completion)
    told = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "blue"}
    answer = finished(client, model, streamed, [*ASK, message, told], tools=TOOLS)
    assert answer.choices[0].message.content == "It is blue."


@pytest.mark.parametrize("streamed", [False, True])
def test_both_kinds_of_tools_in_one_turn(client: openai.OpenAI, streamed: bool) -> None:
    model = product.assistant({"tool_calls": [ECHO, LOOK]}, {"text": "It said hi, and is blue."})
    message = called(finished(client, model, streamed, tools=TOOLS))
    told = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "blue"}
    answer = finished(client, model, streamed, [*ASK, message, told], tools=TOOLS)
    assert answer.choices[0].message.content == "It said hi, and is blue."
    assert product.shown(model) == ["blue", '{"say": "hi"}']


def test_a_structured_answer(client: openai.OpenAI) -> None:
    model = product.assistant({"text": '{"name": "Brno", "people": 400000}'})
    completion = client.chat.completions.parse(model=model, messages=ASK, response_format=City)
    assert completion.choices[0].message.parsed == City(name="Brno", people=400_000)


def test_a_structured_answer_is_streamed(client: openai.OpenAI) -> None:
    model = product.assistant({"text": '{"name": "Brno", "people": 400000}'})
    with client.chat.completions.stream(model=model, messages=ASK, response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == City(name="Brno", people=400_000)


def test_an_error_in_a_stream_is_raised_after_what_came_before(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model=product.assistant(FAILURE), messages=ASK, stream=True)
    texts = (chunk.choices[0].delta.content for chunk in stream)
    assert [next(texts), next(texts), next(texts)] == ["", "one", " two"]
    with pytest.raises(openai.APIError) as failed:
        next(texts)
    assert failed.value.code == "upstream_error"


@pytest.mark.parametrize(
    ("key", "model", "kind", "code"),
    [
        ("ak-wrong", "any", openai.AuthenticationError, "invalid_api_key"),
        (product.KEY, "nothing-like-it", openai.NotFoundError, "model_not_found"),
    ],
)
def test_a_refusal(
    client: openai.OpenAI, key: str, model: str, kind: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(kind) as refused:
        client.with_options(api_key=key).chat.completions.create(model=model, messages=ASK)
    assert refused.value.code == code


def test_a_rate_limit_says_when_to_come_back(client: openai.OpenAI) -> None:
    busy = {"status": 429, "headers": {"retry-after": "30"}, "body": "{}", "repeat": True}
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model=product.assistant(busy), messages=ASK)
    assert refused.value.response.headers["retry-after"] == "30"


def test_a_run_whose_tools_ran_is_not_tried_again(client: openai.OpenAI) -> None:
    model = product.assistant({"tool_calls": [ECHO]}, {"status": 401, "body": "{}"})
    with pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=2).chat.completions.create(model=model, messages=ASK)
    assert len(product.asked(model)) == 2


def test_a_history_is_kept_where_that_is_asked_for(client: openai.OpenAI) -> None:
    model = product.assistant({"text": "Good day, Ada."}, {"text": "Ada."})
    ours = {"session_id": model, "mcp_connector": {"history": "stored"}}
    for said in ("I am Ada.", "Who am I?"):
        message = {"role": "user", "content": said}
        client.chat.completions.create(model=model, messages=[message], extra_body=ours)
    told = [each["content"] for each in product.asked(model)[-1] if each["role"] != "system"]
    assert told == ["I am Ada.", "Good day, Ada.", "Who am I?"]


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    model = product.assistant()
    assert model in [each.id for each in client.models.list()]
    assert client.models.retrieve(model).id == model


async def test_asynchronously() -> None:
    model = product.assistant({"text": "one two"})
    async with openai.AsyncOpenAI(api_key=product.KEY, base_url=product.URL, max_retries=0) as client:
        stream = await client.chat.completions.create(model=model, messages=ASK, stream=True)
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(texts) == "one two"


def finished(
    client: openai.OpenAI, model: str, streamed: bool, messages: Messages = ASK, **fields: Any
) -> ChatCompletion:
    if not streamed:
        return client.chat.completions.create(model=model, messages=messages, **fields)
    with client.chat.completions.stream(model=model, messages=messages, **fields) as stream:
        return stream.get_final_completion()


def called(completion: ChatCompletion) -> ChatCompletionMessage:
    """The message with the one call of `look`."""
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "look")
    assert json.loads(call.function.arguments) == LOOK["arguments"]
    return choice.message
