"""The stand-in over real HTTP, as openai-python sees it."""

import uuid
from collections.abc import Iterator

import openai
import pytest
from starlette.testclient import TestClient

from config.standin import answers
from config.standin.app import create_app
from tests.llm import ScriptedLLM

HELLO = [{"role": "user", "content": "What time is it in Asia/Shanghai?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_current_time",
        "parameters": {
            "type": "object",
            "properties": {"timezone": {"type": "string"}},
            "required": ["timezone"],
        },
    },
}


@pytest.fixture
def client(llm: ScriptedLLM) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=llm.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def conversation() -> str:
    return f"model-{uuid.uuid4().hex}"


def test_it_streams_a_call_in_fragments(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="any", messages=HELLO, tools=[TOOL], stream_options={"include_usage": True}
    ) as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        completion = stream.get_final_completion()
    (call,) = completion.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == (
        "get_current_time",
        '{"timezone": "Asia/Shanghai"}',
    )
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage.total_tokens > 0
    assert len(chunks) > 5


def test_it_answers_whole(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model="any", messages=[{"role": "user", "content": "Hello"}])
    assert answers.NOTICE in completion.choices[0].message.content
    assert completion.usage.prompt_tokens > 0


def test_it_lists_itself(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["stand-in"]


def test_it_refuses_a_request_without_messages(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="any", messages=[])


def test_it_takes_scripts_only_from_tests() -> None:
    with TestClient(create_app()) as client:
        assert client.put("/script/any", json={"steps": []}).status_code == 404


def test_it_logs_that_it_is_a_stand_in(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(create_app()):
        assert answers.NOTICE in caplog.messages


def test_a_script_answers_step_by_step(client: openai.OpenAI, llm: ScriptedLLM, conversation: str) -> None:
    llm.script(conversation, {"text": "First."}, {"text": "Then this.", "repeat": True})
    texts = [
        client.chat.completions.create(model=conversation, messages=HELLO).choices[0].message.content
        for _ in range(3)
    ]
    assert texts == ["First.", "Then this.", "Then this."]
    assert [body["messages"] for body in llm.bodies(conversation)] == [HELLO] * 3


def test_a_script_belongs_to_one_conversation(
    client: openai.OpenAI, llm: ScriptedLLM, conversation: str
) -> None:
    llm.script(conversation, {"text": "By its user."})
    other = client.chat.completions.create(model="any", messages=HELLO).choices[0].message.content
    mine = client.chat.completions.create(model="any", user=conversation, messages=HELLO)
    assert mine.choices[0].message.content == "By its user."
    assert answers.NOTICE in other


def test_a_script_can_refuse(client: openai.OpenAI, llm: ScriptedLLM, conversation: str) -> None:
    llm.script(conversation, {"status": 429, "headers": {"retry-after": "7"}, "body": "{}"})
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model=conversation, messages=HELLO)
    assert refused.value.response.headers["retry-after"] == "7"


def test_a_script_can_cut_a_stream(client: openai.OpenAI, llm: ScriptedLLM, conversation: str) -> None:
    llm.script(conversation, {"text": "one two three", "cut_after": 3})
    with pytest.raises(openai.APIConnectionError):
        for _ in client.chat.completions.create(model=conversation, messages=HELLO, stream=True):
            pass
    assert llm.requests(conversation)[0]["outcome"] == "cut"


@pytest.mark.parametrize("stream", [True, False])
def test_it_notices_that_its_caller_left(
    client: openai.OpenAI, llm: ScriptedLLM, conversation: str, stream: bool
) -> None:
    llm.script(conversation, {"text": "too late", "delay_s": 30})
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=1).chat.completions.create(
            model=conversation, messages=HELLO, stream=stream
        )
    llm.wait_for_outcome(conversation, "disconnected", within_s=15)
