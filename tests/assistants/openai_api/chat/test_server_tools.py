"""What a caller sees of the tools that our own servers run: the extension, and never a call to make."""

import json
import uuid
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from tests.assistants.openai_api.conftest import HELLO, Post, error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack, wait_for
from tools.models import MCPTool

ECHO = {"tool_calls": [{"name": "house__echo", "arguments": {"say": "hi"}, "id": "call_1"}]}
SLEEP = {"tool_calls": [{"name": "house__sleep", "arguments": {"s": 30}}]}
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture(scope="session")
def server(stack: Stack) -> MCPTool:
    return stack.server("House")


@pytest.fixture
def model(stack: Stack, key: IssuedKey, server: MCPTool) -> str:
    slug = f"server-tools-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, server, keys=(key,))
    return slug


def test_a_call_of_ours_is_shown_in_the_extension(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, ECHO, {"text": "It said hi."})
    (choice,) = client.chat.completions.create(model=model, messages=HELLO).choices
    assert (choice.message.content, choice.finish_reason) == ("It said hi.", "stop")
    assert choice.message.tool_calls is None
    (call,) = choice.message.mcp_connector["tool_calls"]
    assert call.pop("duration_ms") >= 0
    assert call.pop("id")
    assert call == {
        "name": "house__echo",
        "server": "House",
        "function": "echo",
        "arguments": {"say": "hi"},
        "status": "ok",
    }
    assert choice.message.mcp_connector["rounds"] == 2


def test_a_stream_shows_calls_of_server_tools_on_valid_chunks_only(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Wait. ", **ECHO}, {"text": "It said hi."})
    with client.chat.completions.stream(model=model, messages=HELLO) as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        completion = stream.get_final_completion()
    assert completion.choices[0].message.tool_calls is None
    assert completion.choices[0].message.content == "Wait. It said hi."
    assert all(len(chunk.choices) == 1 and chunk.choices[0].delta.tool_calls is None for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    statuses = [
        chunk.mcp_connector["tool_calls"][0]["status"] for chunk in chunks if hasattr(chunk, "mcp_connector")
    ]
    assert statuses == ["running", "ok", "ok"]


def test_a_tool_that_fails_says_so(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"tool_calls": [{"name": "house__fail"}]}, {"text": "It failed."})
    (choice,) = client.chat.completions.create(model=model, messages=HELLO).choices
    (call,) = choice.message.mcp_connector["tool_calls"]
    assert (call["status"], call["error"]) == ("error", "tool_error")


def test_both_kinds_of_calls_in_one_turn(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    calls = [*ECHO["tool_calls"], {"name": "look", "arguments": {}, "id": "call_2"}]
    llm.script(model, {"tool_calls": calls})
    (choice,) = client.chat.completions.create(model=model, messages=HELLO, tools=[LOOK]).choices
    assert choice.finish_reason == "tool_calls"
    assert [call.function.name for call in choice.message.tool_calls] == ["look"]
    assert [call["name"] for call in choice.message.mcp_connector["tool_calls"]] == ["house__echo"]


def test_a_callers_tool_must_not_have_the_name_of_ours(post: Post) -> None:
    tool = {"type": "function", "function": {"name": "house__echo", "parameters": {}}}
    response = post(tools=[tool])
    assert (response.status_code, error_of(response)["code"]) == (400, "tool_name_conflict")


@pytest.mark.parametrize("status", [500, 429])
def test_after_a_tool_ran_no_sdk_tries_again(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, status: int
) -> None:
    failure = {"status": status, "body": "{}", "headers": {"retry-after": "60"}, "repeat": True}
    llm.script(model, ECHO, failure)
    eager = client.with_options(max_retries=2)
    with pytest.raises(openai.APIStatusError) as failed:
        eager.chat.completions.create(model=model, messages=HELLO)
    assert failed.value.response.headers["x-should-retry"] == "false"
    asked = [body for body in llm.bodies(model) if body["messages"][-1]["role"] != "tool"]
    assert len(asked) == 1


def test_before_a_tool_ran_an_sdk_may_try_again(post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"status": 500, "body": "{}", "repeat": True})
    assert "x-should-retry" not in post().headers


def test_a_silent_tool_is_bridged_by_heartbeats(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"tool_calls": [{"name": "house__sleep", "arguments": {"s": 2.5}}]}, {"text": "Awake."})
    request = {"model": model, "messages": HELLO, "stream": True}
    with http.stream("POST", "/v1/chat/completions", json=request) as answer:
        events = answer.read().decode().split("\n\n")
    assert sum(event.startswith(":") for event in events) >= 2
    assert events[-2] == "data: [DONE]"


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_cancels_a_running_tool(
    http: httpx.Client, post: Post, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    before = _cancelled(post, llm, model)
    llm.script(model, SLEEP)
    request = {"model": model, "messages": HELLO, "stream": stream}
    if stream:
        with http.stream("POST", "/v1/chat/completions", json=request) as answer:
            assert any(line.startswith(":") for line in answer.iter_lines())
    else:
        with pytest.raises(httpx.ReadTimeout):
            http.post("/v1/chat/completions", json=request, timeout=2)
    wait_for(lambda: _cancelled(post, llm, model) == before + 1, within_s=15)


def _cancelled(post: Post, llm: ScriptedLLM, model: str) -> int:
    """Returns how many calls the server was asked to cancel."""
    llm.script(model, {"tool_calls": [{"name": "house__cancelled"}]}, {"text": "That many."})
    assert post().status_code == 200
    return int(llm.bodies(model)[-1]["messages"][-1]["content"])


def test_an_unavailable_server_is_named(
    stack: Stack, key: IssuedKey, server: MCPTool, client: openai.OpenAI, llm: ScriptedLLM
) -> None:
    absent = stack.server("Absent", wait=False, command="/nonexistent/program", args=[])
    stack.wait_for_status(absent, "error")
    slug = f"partly-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, server, absent, keys=(key,))
    llm.script(slug, {"text": "Without Absent."})
    message = client.chat.completions.create(model=slug, messages=HELLO).choices[0].message
    (unavailable,) = message.mcp_connector["unavailable_tools"]
    assert unavailable["server"] == "Absent"
    assert unavailable["reason"]
    assert "Absent" in json.dumps(llm.bodies(slug)[0]["messages"])


def test_rounds_are_summed_in_the_usage(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    usage: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    llm.script(model, {**ECHO, "usage": usage}, {**ECHO, "usage": usage}, {"text": "Done.", "usage": usage})
    completion = client.chat.completions.create(model=model, messages=HELLO)
    assert completion.usage.model_dump(exclude_none=True) == {
        name: 3 * value for name, value in usage.items()
    }
