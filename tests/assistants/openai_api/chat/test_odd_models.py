"""A model that answers oddly but validly, or calls oddly: the caller gets one well-formed answer."""

import json
import uuid
from typing import Any

import openai
import pytest
from openai.types.chat.chat_completion import Choice

from apikeys.actions import IssuedKey
from tests.assistants.openai_api.conftest import HELLO
from tests.llm import ScriptedLLM
from tests.stack import Stack
from tools.models import MCPTool

MEGABYTE = "x" * 1_000_000
HUGE = {"choices": [{"index": 0, "delta": {"content": MEGABYTE}, "finish_reason": "stop"}]}
ROUNDS = 3

pytestmark = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="session")
def odd_house(stack: Stack) -> MCPTool:
    return stack.server("Odd server")


@pytest.fixture
def model(stack: Stack, key: IssuedKey, odd_house: MCPTool) -> str:
    slug = f"odd-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, odd_house, keys=(key,), max_rounds=ROUNDS)
    return slug


def answered(client: openai.OpenAI, model: str, stream: bool) -> Choice:
    """The one choice; its message shows no call of a tool."""
    if stream:
        with client.chat.completions.stream(model=model, messages=HELLO) as events:
            events.until_done()
            completion = events.current_completion_snapshot
    else:
        completion = client.chat.completions.create(model=model, messages=HELLO)
    [choice] = completion.choices
    assert not choice.message.tool_calls
    return choice


def called(name: str, arguments: Any, identity: str) -> dict[str, Any]:
    return {"name": f"odd-server__{name}", "arguments": arguments, "id": identity}


def test_a_content_filter_is_reported(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(model, {"text": "I must", "finish_reason": "content_filter"})
    choice = answered(client, model, stream)
    assert (choice.message.content, choice.finish_reason) == ("I must", "content_filter")


def test_a_megabyte_in_one_delta(client: openai.OpenAI, llm: ScriptedLLM, model: str, stream: bool) -> None:
    llm.script(model, {"sse": [f"data: {json.dumps(HUGE)}\n\n", "data: [DONE]\n\n"]})
    choice = answered(client, model, stream)
    assert choice.message.content == MEGABYTE


def test_parallel_calls_of_one_tool_under_one_id(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(model, {"tool_calls": [called("echo", {"n": n}, "same") for n in (1, 2)]}, {"text": "Both."})
    assert answered(client, model, stream).message.content == "Both."
    results = [message for message in llm.bodies(model)[-1]["messages"] if message["role"] == "tool"]
    assert [result["content"] for result in results] == ['{"n": 1}', '{"n": 2}']
    assert len({result["tool_call_id"] for result in results}) == 2


def test_arguments_that_are_no_json_and_tools_that_are_not_there(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(
        model,
        {"tool_calls": [called("echo", "{broken", "a"), called("nothing", {}, "b")]},
        {"text": "Neither."},
    )
    assert answered(client, model, stream).message.content == "Neither."
    results = [
        message["content"] for message in llm.bodies(model)[-1]["messages"] if message["role"] == "tool"
    ]
    assert "not a JSON object" in results[0]
    assert "Unknown tool" in results[1]


def test_a_loop_without_end(client: openai.OpenAI, llm: ScriptedLLM, model: str, stream: bool) -> None:
    llm.script(
        model,
        *({"tool_calls": [called("echo", {"n": n}, f"call_{n}")]} for n in range(ROUNDS)),
        {"text": "Enough."},
    )
    choice = answered(client, model, stream)
    assert (choice.message.content, choice.finish_reason) == ("Enough.", "stop")
    assert ["tools" in body for body in llm.bodies(model)] == [True] * ROUNDS + [False]
