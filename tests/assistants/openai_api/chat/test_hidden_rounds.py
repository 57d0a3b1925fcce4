"""Both kinds of tools in one run: ours run once, and what they said is there when the caller comes back."""

import json
import uuid
from typing import Any

import openai
import pytest

from apikeys.actions import IssuedKey
from assistants.models import HiddenRounds
from tests.llm import ScriptedLLM
from tests.stack import Stack
from tools.models import MCPTool

GO: Any = {"role": "user", "content": "go"}
ECHO = {"name": "hidden__echo", "arguments": {"say": "hi"}}
LOOK = {"name": "look", "arguments": {"at": "sky"}}
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def server(stack: Stack) -> MCPTool:
    return stack.server("Hidden")


@pytest.fixture
def model(stack: Stack, key: IssuedKey, server: MCPTool) -> str:
    slug = f"hidden-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, server, keys=(key,))
    return slug


def ask(client: openai.OpenAI, model: str, *messages: Any) -> Any:
    completion = client.chat.completions.create(model=model, messages=[GO, *messages], tools=TOOLS)
    return completion.choices[0].message


def with_result(message: Any) -> list[Any]:
    """What a caller sends back: what it was shown, and the result of its tool."""
    [call] = message.tool_calls
    shown = {"role": "assistant", "content": message.content, "tool_calls": [call.model_dump()]}
    return [shown, {"role": "tool", "tool_call_id": call.id, "content": "blue"}]


def received(llm: ScriptedLLM, model: str) -> list[dict[str, Any]]:
    """The last conversation that the model was given, after the question."""
    return list(llm.bodies(model)[-1]["messages"][1:])


@pytest.mark.parametrize("calls", [[ECHO, LOOK], [LOOK, ECHO]])
def test_the_hidden_part_of_a_mixed_turn_is_found_again(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, calls: list[Any]
) -> None:
    llm.script(model, {"text": "Both.", "tool_calls": calls}, {"text": "A blue hi."})
    first = ask(client, model)
    second = ask(client, model, *with_result(first))
    assert second.content == "A blue hi."
    turn, *results = received(llm, model)
    assert turn["content"] == "Both."
    assert [call["function"]["name"] for call in turn["tool_calls"]] == [call["name"] for call in calls]
    by_id = {result["tool_call_id"]: result["content"] for result in results}
    names = {call["function"]["name"]: by_id[call["id"]] for call in turn["tool_calls"]}
    assert names == {"hidden__echo": json.dumps({"say": "hi"}), "look": "blue"}


def test_the_rounds_before_the_callers_turn_are_found_again(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(
        model,
        {"text": "First ours.", "tool_calls": [ECHO]},
        {"text": "Now yours.", "tool_calls": [LOOK]},
        {"text": "Done."},
    )
    ask(client, model, *with_result(ask(client, model)))
    assert [message["role"] for message in received(llm, model)] == ["assistant", "tool", "assistant", "tool"]
    assert len(llm.bodies(model)) == 3


def test_a_stream_stores_them_too(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"tool_calls": [ECHO, LOOK]}, {"text": "Done."})
    with client.chat.completions.stream(model=model, messages=[GO], tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert [call.function.name for call in message.tool_calls or ()] == ["look"]
    ask(client, model, *with_result(message))
    assert [each["role"] for each in received(llm, model)] == ["assistant", "tool", "tool"]


def test_arguments_that_the_caller_corrected_are_used(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"tool_calls": [ECHO, LOOK]}, {"text": "Done."})
    shown, result = with_result(ask(client, model))
    shown["tool_calls"][0]["function"]["arguments"] = '{"at": "sea"}'
    ask(client, model, shown, result)
    arguments = [json.loads(call["function"]["arguments"]) for call in received(llm, model)[0]["tool_calls"]]
    assert arguments == [{"say": "hi"}, {"at": "sea"}]


@pytest.mark.parametrize("why", ["forgotten", "expired", "another key's"])
def test_without_hidden_rounds_the_model_gets_the_visible_conversation(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str, why: str
) -> None:
    llm.script(model, {"tool_calls": [ECHO, LOOK]}, {"text": "Done."})
    conversation = with_result(ask(client, model))
    with stack.database():
        rows = HiddenRounds.objects.filter(call_id=conversation[1]["tool_call_id"])
        if why == "forgotten":
            assert rows.delete()[0] == 1
        elif why == "expired":
            assert rows.update(expires_at="2020-01-01T00:00:00Z") == 1
        else:
            assert rows.update(api_key_id=0) == 1
    answer = ask(client, model, *conversation)
    assert (answer.content, answer.mcp_connector["tool_calls"]) == ("Done.", [])
    assert [each["role"] for each in received(llm, model)] == ["assistant", "tool"]


def test_a_caller_with_tools_of_its_own_alone_leaves_no_row(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"tool_calls": [LOOK]}, {"text": "Done."})
    conversation = with_result(ask(client, model))
    with stack.database():
        assert not HiddenRounds.objects.filter(call_id=conversation[1]["tool_call_id"]).exists()
    ask(client, model, *conversation)
    assert [each["role"] for each in received(llm, model)] == ["assistant", "tool"]
