"""openai-python and LangChain through the Responses API."""

import json
import time
from typing import Any

import openai
import product
import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai.types.responses import Response
from product import ECHO, LOOK
from pydantic import BaseModel

PROPERTIES = {"at": {"type": "string"}}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["at"], "additionalProperties": False}
TOOLS: list[Any] = [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": True}]


class City(BaseModel):
    name: str
    people: int


@tool
def look(at: str) -> str:
    """Look at something."""
    return f"{at} is blue"


@pytest.fixture(scope="module")
def client() -> openai.OpenAI:
    return openai.OpenAI(api_key=product.KEY, base_url=product.URL, max_retries=0, timeout=20)


def finished(client: openai.OpenAI, streamed: bool, **fields: Any) -> Response:
    if not streamed:
        return client.responses.create(**fields)
    with client.responses.stream(**fields) as stream:
        numbers = [event.sequence_number for event in stream]
        assert numbers == sorted(set(numbers))
        return stream.get_final_response()


@pytest.mark.parametrize("streamed", [False, True])
def test_text(client: openai.OpenAI, streamed: bool) -> None:
    response = finished(client, streamed, model=product.assistant({"text": "Good day."}), input="Hello")
    assert (response.output_text, response.status) == ("Good day.", "completed")
    assert response.usage.total_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_our_tools_are_calls_of_mcp(client: openai.OpenAI, streamed: bool) -> None:
    model = product.assistant({"tool_calls": [ECHO]}, {"text": "It said hi."})
    response = finished(client, streamed, model=model, input="Hello")
    assert response.output_text == "It said hi."
    [call] = [item for item in response.output if item.type == "mcp_call"]
    assert (call.name, call.output, json.loads(call.arguments)) == ("echo", '{"say": "hi"}', {"say": "hi"})
    assert not [item for item in response.output if item.type == "function_call"]


@pytest.mark.parametrize("streamed", [False, True])
def test_both_kinds_of_tools_in_one_turn(client: openai.OpenAI, streamed: bool) -> None:
    model = product.assistant({"tool_calls": [ECHO, LOOK]}, {"text": "It said hi, and is blue."})
    first = finished(client, streamed, model=model, input="Hello", tools=TOOLS)
    [call] = [item for item in first.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("look", LOOK["arguments"])
    told = {"type": "function_call_output", "call_id": call.call_id, "output": "blue"}
    second = finished(client, streamed, model=model, input=[told], previous_response_id=first.id, tools=TOOLS)
    assert second.output_text == "It said hi, and is blue."
    assert product.shown(model) == ["blue", '{"say": "hi"}']


def test_a_structured_answer(client: openai.OpenAI) -> None:
    model = product.assistant({"text": '{"name": "Brno", "people": 400000}'})
    response = client.responses.parse(model=model, input="Hello", text_format=City)
    assert response.output_parsed == City(name="Brno", people=400_000)


def test_a_response_is_kept_until_it_is_deleted(client: openai.OpenAI) -> None:
    response = client.responses.create(model=product.assistant({"text": "Good day."}), input="Hello")
    assert client.responses.retrieve(response.id).output_text == "Good day."
    [item] = client.responses.input_items.list(response.id)
    assert item.content[0].text == "Hello"
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_an_error_in_a_stream_is_raised(client: openai.OpenAI) -> None:
    model = product.assistant({"text": "one two three", "cut_after": 3})
    stream = client.responses.create(model=model, input="Hello", stream=True)
    with pytest.raises(openai.APIError, match="broke"):
        list(stream)


def test_in_the_background(client: openai.OpenAI) -> None:
    model = product.assistant({"text": "Good day.", "delay_s": 0.5})
    response = client.responses.create(model=model, input="Hello", background=True)
    assert response.status in {"queued", "in_progress"}
    while response.status in {"queued", "in_progress"}:
        time.sleep(0.1)
        response = client.responses.retrieve(response.id)
    assert (response.status, response.output_text) == ("completed", "Good day.")


def test_a_stream_is_resumed_where_it_was_left(client: openai.OpenAI) -> None:
    model = product.assistant({"text": "one two three four", "chunk_delay_s": 0.1})
    with client.responses.create(model=model, input="Hello", background=True, stream=True) as stream:
        first, second = next(stream), next(stream)
    rest = list(
        client.responses.retrieve(first.response.id, stream=True, starting_after=second.sequence_number)
    )
    assert [event.sequence_number for event in rest] == list(range(2, 2 + len(rest)))
    assert rest[-1].response.output_text == "one two three four"


@pytest.mark.parametrize("streamed", [False, True])
def test_langchain(streamed: bool) -> None:
    model = product.assistant({"tool_calls": [ECHO, LOOK]}, {"text": "It is blue."})
    chat = ChatOpenAI(
        model=model,
        api_key=product.KEY,
        base_url=product.URL,
        use_responses_api=True,
        streaming=streamed,
        max_retries=0,
    ).bind_tools([look])
    message = chat.invoke("Hello")
    [call] = message.tool_calls
    assert (call["name"], call["args"]) == ("look", LOOK["arguments"])
    answer = chat.invoke([("human", "Hello"), message, look.invoke(call)])
    assert answer.text == "It is blue."
