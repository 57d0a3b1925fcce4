"""A response that is answered at once, as the SDK parses it."""

import json
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.assistants.openai_api.conftest import error_of
from tests.assistants.openai_api.responses.conftest import ECHO, LOOK
from tests.llm import ScriptedLLM

FIELDS = {
    "id", "object", "created_at", "status", "background", "completed_at", "conversation", "error",
    "frequency_penalty", "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls",
    "metadata", "model",
    "output", "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt", "prompt_cache_key",
    "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "temperature",
    "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "usage", "user",
    "mcp_connector",
}  # fmt: skip


def test_it_answers(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    llm.script(model, {"text": "Hello back.", "usage": usage})
    response = client.responses.create(model=model, input="Hello", instructions="Be brief.")
    assert (response.status, response.output_text, response.error) == ("completed", "Hello back.", None)
    assert response.usage
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (
        10,
        2,
        12,
    )
    (message,) = response.output
    assert (message.type, message.status, message.role) == ("message", "completed", "assistant")  # type: ignore[union-attr]
    assert [(each["role"], each["content"]) for each in llm.bodies(model)[0]["messages"]] == [
        ("system", "Be brief."),
        ("user", "Hello"),
    ]


def test_every_field_is_there(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    response = http.post("/v1/responses", json={"model": model, "input": "Hello"}).json()
    assert set(response) == FIELDS
    assert response["id"].startswith("resp_")
    assert response["mcp_connector"]["run_id"] == response["id"].replace("resp_", "run_")


def test_parameters_reach_the_model(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(
        model=model,
        input="Hello",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=50,
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        metadata={"a": "b"},
        tools=[LOOK],  # type: ignore[list-item]
        tool_choice={"type": "function", "name": "look"},
    )
    body = llm.bodies(model)[0]
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.5, 0.9, 50)
    assert (body["reasoning_effort"], body["parallel_tool_calls"]) == ("low", False)
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert body["tools"][0]["function"]["parameters"] == LOOK["parameters"]
    assert (response.temperature, response.max_output_tokens, response.metadata) == (0.5, 50, {"a": "b"})
    assert response.tools[0].name == "look"  # type: ignore[union-attr]


def test_server_tools_are_mcp_items(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(equipped, {"text": "Wait.", "tool_calls": [ECHO]}, {"text": "It said hi."})
    response = client.responses.create(model=equipped, input="Say hi")
    listed, first, call, last = response.output
    assert listed.type == "mcp_list_tools"
    assert listed.server_label == "respondents"
    assert "echo" in {tool.name for tool in listed.tools}
    assert first.type == last.type == "message"
    assert (first.content[0].text, last.content[0].text) == ("Wait.", "It said hi.")  # type: ignore[union-attr]
    assert call.type == "mcp_call"
    assert (call.server_label, call.name, call.status) == ("respondents", "echo", "completed")
    assert json.loads(call.arguments) == json.loads(call.output or "") == {"say": "hi"}
    assert not {"error", "approval_request_id"} & call.model_fields_set
    assert "annotations" not in listed.tools[0].model_fields_set


def test_a_server_tool_that_fails(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(equipped, {"tool_calls": [{"name": "respondents__fail"}]}, {"text": "It failed."})
    response = client.responses.create(model=equipped, input="Fail")
    (call,) = [item for item in response.output if item.type == "mcp_call"]
    assert call.status == "failed"
    assert call.error
    assert call.error.type == "mcp_tool_execution_error"
    assert call.error.content == [{"type": "text", "text": "it failed"}]


def test_parallel_calls_keep_their_results(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    calls = [{"name": "respondents__echo", "arguments": {"say": str(number)}} for number in range(3)]
    llm.script(equipped, {"tool_calls": calls}, {"text": "Done."})
    response = client.responses.create(model=equipped, input="Say a lot")
    calls_made = [item for item in response.output if item.type == "mcp_call"]
    assert [json.loads(item.arguments) for item in calls_made] == [call["arguments"] for call in calls]
    assert all(item.output == item.arguments.replace(":", ": ") for item in calls_made)


def test_a_tool_of_the_callers_is_handed_back(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    """With a call of ours in the same turn, which has its result already."""
    llm.script(
        equipped,
        {"tool_calls": [ECHO, {"name": "look", "arguments": {"at": "it"}}]},
        {"text": "Seen."},
    )
    first = client.responses.create(model=equipped, input="Look", tools=[LOOK])  # type: ignore[list-item]
    _, ours, client_call = first.output
    assert ours.type == "mcp_call"
    assert client_call.type == "function_call"
    assert (client_call.name, json.loads(client_call.arguments), client_call.status) == (
        "look",
        {"at": "it"},
        "completed",
    )
    result: Any = {"type": "function_call_output", "call_id": client_call.call_id, "output": "a tree"}
    second = client.responses.create(
        model=equipped,
        previous_response_id=first.id,
        input=[result],
        tools=[LOOK],  # type: ignore[list-item]
    )
    assert second.output_text == "Seen."
    messages = llm.bodies(equipped)[-1]["messages"]
    # One turn with both calls, as the model made it.
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert json.loads(messages[2]["content"]) == {"say": "hi"}
    assert messages[3]["content"] == "a tree"
    assert len(llm.bodies(equipped)) == 2


class Answer(BaseModel):
    number: int


def test_structured_output(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": '{"number": 7}'})
    response = client.responses.parse(model=model, input="A number", text_format=Answer)
    assert response.output_parsed == Answer(number=7)
    asked = llm.bodies(model)[0]["response_format"]
    assert (asked["type"], asked["json_schema"]["name"]) == ("json_schema", "Answer")


@pytest.mark.parametrize(
    ("finish_reason", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_cut_answer_is_incomplete(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, finish_reason: str, reason: str
) -> None:
    llm.script(model, {"text": "It was", "finish_reason": finish_reason})
    response = client.responses.create(model=model, input="Tell me")
    assert (response.status, response.output_text) == ("incomplete", "It was")
    assert response.incomplete_details
    assert response.incomplete_details.reason == reason


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": []}, "input", "invalid_messages"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0]", "unsupported_parameter"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
         "input[0].content[0].type", "unsupported_parameter"),
        ({"input": [{"type": "computer_call"}]}, "input[0]", "unsupported_parameter"),
        ({"input": [{"type": "compaction_trigger"}]}, "input[0]", "unsupported_parameter"),
        ({"input": [{"type": "additional_tools", "tools": [{"type": "file_search"}]}]},
         "input[0].tools[0].type", "unsupported_parameter"),
        ({"input": [{"type": "custom_tool_call", "call_id": "a", "name": "b", "input": "c"}]},
         "input", "invalid_messages"),
        ({"input": [{"type": "custom_tool_call", "call_id": "a", "name": "b"}]},
         "input[0].input", "missing_required_parameter"),
        ({"input": [{"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"}]},
         "input", "invalid_messages"),
        ({"input": [{"type": "function_call_output", "call_id": "a", "output": "x"}]},
         "input", "invalid_messages"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input", "item_not_found"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_not_found"),
        ({"previous_response_id": "resp_1", "conversation": "c"}, "conversation", "invalid_value"),
        ({"conversation": ""}, "conversation", "invalid_value"),
        ({"conversation": {"id": "x" * 513}}, "conversation.id", "invalid_value"),
        ({"tools": [{"type": "code_interpreter"}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": [{"name": "a"}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": ["web_search"]}, "tools[0]", "invalid_type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]}]},
         "tools[0].tools[0].type", "unsupported_parameter"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [LOOK, LOOK | {"name": "a b"}]}]},
         "tools[0].tools[1].name", "invalid_value"),
        ({"tools": [LOOK | {"name": f"a{number}"} for number in range(129)]}, "tools", "invalid_value"),
        ({"tools": [LOOK | {"parameters": {"$ref": "http://x"}}]}, "tools[0].parameters", "invalid_value"),
        ({"tools": [LOOK, LOOK]}, "tools[1].name", "tool_name_conflict"),
        ({"tool_choice": {"type": "function", "name": "unknown"}}, "tool_choice.name", "invalid_value"),
        ({"tool_choice": {"type": "mcp", "server_label": "x", "name": "y"}},
         "tool_choice.name", "invalid_value"),
        ({"background": True, "store": False}, "store", "invalid_value"),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "nothing"}}}},
         "text.format.schema", "invalid_value"),
        ({"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": "http://169.254.169.254/a.png"}]}]},
         "input[0].content[0].image_url", "invalid_image_url"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto",
                          "tools": [{"type": "function", "name": "unknown"}]}},
         "tool_choice.tools[0]", "invalid_value"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
         "tool_choice.tools", "invalid_value"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice", "unsupported_parameter"),
        ({"max_tool_calls": 0}, "max_tool_calls", "invalid_value"),
        ({"max_tool_calls": "3"}, "max_tool_calls", "invalid_type"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ({"mcp_connector": {"render": "details"}}, "mcp_connector.render", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"stream": "true"}, "stream", "invalid_type"),
    ],
)  # fmt: skip
def test_the_field_at_fault_is_named(
    http: httpx.Client, model: str, fields: dict[str, Any], param: str, code: str
) -> None:
    response = http.post("/v1/responses", json={"model": model, "input": "Hello"} | fields)
    error = error_of(response)
    assert (response.status_code, error["param"], error["code"]) == (400, param, code)


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.create(model="nobody", input="Hello")
    assert refused.value.code == "model_not_found"


def test_after_a_tool_ran_no_sdk_tries_again(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(equipped, {"tool_calls": [ECHO]}, {"status": 500, "body": "{}", "repeat": True})
    with pytest.raises(openai.APIStatusError) as failed:
        client.with_options(max_retries=2).responses.create(model=equipped, input="Hello")
    assert failed.value.response.headers["x-should-retry"] == "false"
