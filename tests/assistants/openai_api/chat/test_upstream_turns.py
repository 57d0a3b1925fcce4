"""What an LLM service attaches to its turns, its reasoning and refusals, as chat callers meet them."""

import json
import uuid
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from assistants.models import HiddenRounds, Run
from tests.assistants.agent.turns import SIGNATURE, call, escaped, sse
from tests.assistants.openai_api.conftest import HELLO, Post
from tests.llm import ScriptedLLM
from tests.stack import Stack, wait_for
from tools.models import MCPTool

TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
THOUGHT = {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0}]}
LOOK = call("look", '{"at":"sky"}', index=0, id="functions.look:0", extra_content=SIGNATURE)
ECHO = call("turns__echo", '{"say":"hi"}', index=0, id="functions.turns__echo:0", extra_content=SIGNATURE)


@pytest.fixture(scope="module")
def server(stack: Stack) -> MCPTool:
    return stack.server("Turns")


@pytest.fixture
def model(stack: Stack, key: IssuedKey, server: MCPTool) -> str:
    slug = f"turns-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, server, keys=(key,))
    return slug


def sent(llm: ScriptedLLM, model: str) -> list[dict[str, Any]]:
    """The last conversation that the service got, after the question."""
    return list(llm.bodies(model)[-1]["messages"][1:])


def answer_of(completion: Any) -> dict[str, Any]:
    return dict(completion.choices[0].message.model_dump())


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("caller", ["echoes all", "drops what it does not know"])
def test_a_turn_returns_by_way_of_the_caller(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, caller: str, is_streamed: bool
) -> None:
    llm.script(
        model,
        sse({**THOUGHT, "tool_calls": [ECHO]}),
        sse({**THOUGHT, "vendor_state": "s", "tool_calls": [LOOK]}),
        {"text": "Blue."},
    )
    if is_streamed:
        with client.chat.completions.stream(model=model, messages=HELLO, tools=TOOLS) as stream:
            message = answer_of(stream.get_final_completion())
    else:
        message = answer_of(client.chat.completions.create(model=model, messages=HELLO, tools=TOOLS))  # type: ignore[arg-type]
    [returned] = message["tool_calls"]
    assert returned["extra_content"] == SIGNATURE
    assert len(returned["id"]) <= 40
    assert message["reasoning_content"] == "Hm.\n\nHm."
    assert (message["vendor_state"], message["reasoning_details"]) == ("s", THOUGHT["reasoning_details"])
    if caller != "echoes all":
        returned = {name: returned[name] for name in ("id", "type", "function")}
        message = {"role": "assistant", "content": None, "tool_calls": [returned]}
    result = {"role": "tool", "tool_call_id": returned["id"], "content": "blue"}
    client.chat.completions.create(model=model, messages=[*HELLO, message, result], tools=TOOLS)  # type: ignore[list-item]
    first, _, second, last = sent(llm, model)
    for turn in (first, second):
        assert {name: turn[name] for name in THOUGHT} == THOUGHT
        assert turn["tool_calls"][0]["extra_content"] == SIGNATURE
    assert second["vendor_state"] == "s"
    assert [turn["tool_calls"][0]["id"] for turn in (first, second)] == [ECHO["id"], LOOK["id"]]
    assert last["tool_call_id"] == LOOK["id"]


def test_what_is_forgotten_returns_as_far_as_the_caller_sends_it(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, sse({**THOUGHT, "tool_calls": [LOOK]}), {"text": "Blue."})
    completion = client.chat.completions.create(model=model, messages=HELLO, tools=TOOLS)  # type: ignore[arg-type]
    message = answer_of(completion)
    call_id = message["tool_calls"][0]["id"]
    with stack.database():
        assert HiddenRounds.objects.filter(call_id=call_id).delete()[0] == 1
    result = {"role": "tool", "tool_call_id": call_id, "content": "blue"}
    client.chat.completions.create(model=model, messages=[*HELLO, message, result], tools=TOOLS)  # type: ignore[list-item]
    turn, last = sent(llm, model)
    assert set(turn) == {"role", "content", "tool_calls", "reasoning_content", "reasoning_details"}
    assert turn["tool_calls"] == [_without_index(LOOK)]
    assert last["tool_call_id"] == LOOK["id"]


def _without_index(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != "index"}


def test_reasoning_and_shown_calls_live_together(post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, sse({**THOUGHT, "tool_calls": [ECHO]}), sse(THOUGHT, {"content": "Hi"}, finish="stop"))
    message = post(mcp_connector={"render": "reasoning"}).json()["choices"][0]["message"]
    thought, shown, then = filter(None, message["reasoning_content"].split("\n"))
    assert (thought, then) == ("Hm.", "Hm.")
    assert shown.startswith("Turns: echo(")
    assert message["content"] == "Hi"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_refusal_is_a_refusal_and_is_taken_back(
    post: Post, llm: ScriptedLLM, model: str, is_streamed: bool
) -> None:
    llm.script(model, sse({"refusal": "I will"}, {"refusal": " not."}, finish="stop"), {"text": "Fine."})
    answer = post(stream=is_streamed)
    if is_streamed:
        chunks = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert [delta["refusal"] for delta in deltas if "refusal" in delta] == ["I will", " not."]
        message = {"role": "assistant", "content": None, "refusal": "I will not."}
    else:
        message = answer.json()["choices"][0]["message"]
        assert (message["content"], message["refusal"]) == (None, "I will not.")
    again = post(messages=[*HELLO, message, *HELLO])
    assert again.status_code == 200, again.text
    assert sent(llm, model)[0] == {"role": "assistant", "content": "I will not."}


def test_estimated_usage_is_marked(stack: Stack, post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, sse({"content": "Hello"}, finish="stop", usage=None))
    answer = post().json()
    extension = answer["choices"][0]["message"]["mcp_connector"]
    assert extension["usage_estimated"] is True
    assert answer["usage"]["prompt_tokens"] > 0
    with stack.database():
        runs = Run.objects.filter(run_id=extension["run_id"], usage_estimated=True)
        wait_for(runs.all().exists, within_s=30)


def test_details_of_usage_are_handed_on(post: Post, llm: ScriptedLLM, model: str) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    llm.script(model, sse({"content": "Hello"}, finish="stop", usage=usage))
    assert post().json()["usage"] == {**usage, "total_tokens": 13}
    llm.script(model, sse({"content": "Hello"}, finish="stop", usage=usage))
    streamed = post(stream=True, stream_options={"include_usage": True}).text
    assert '"cached_tokens":8' in streamed
    assert "usage_estimated" not in streamed


def test_broken_text_goes_out_repaired_and_comes_back(post: Post, llm: ScriptedLLM, model: str) -> None:
    arguments = '{\\"say\\":\\"a\\\\u0000\\\\ud83d\\"}'
    function = f'{{"name":"turns__echo","arguments":"{arguments}"}}'
    calling = escaped(f'{{"tool_calls":[{{"index":0,"id":"x\\u0000","function":{function}}}]}}')
    llm.script(model, calling, escaped('{"content":"b\\u0000\\ud83d"}'), {"text": "Fine."})
    answer = post()
    message = answer.json()["choices"][0]["message"]
    assert message["content"] == "b\ufffd\ufffd"
    assert message["mcp_connector"]["tool_calls"][0]["arguments"] == {"say": "a\ufffd\ufffd"}
    assert post(messages=[*HELLO, message, *HELLO]).status_code == 200


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_answer_that_ends_in_an_error(post: Post, llm: ScriptedLLM, model: str, is_streamed: bool) -> None:
    llm.script(model, sse({"content": "Half"}, finish="error"))
    answer = post(stream=is_streamed)
    assert answer.status_code == (200 if is_streamed else 502)
    assert '"upstream_error"' in answer.text


def test_a_required_client_tool_is_forced_after_ours(post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, sse({"tool_calls": [ECHO]}), sse({"tool_calls": [LOOK]}))
    choice = post(tools=TOOLS, tool_choice="required").json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert [body["tool_choice"] for body in llm.bodies(model)] == ["required", "required"]


def test_a_key_reaches_its_limit_although_no_usage_is_reported(
    stack: Stack, llm: ScriptedLLM, http: httpx.Client
) -> None:
    slug = f"limited-{uuid.uuid4().hex[:12]}"
    issued = stack.key(slug, tokens_per_minute=50)
    stack.assistant(slug, keys=(issued,))
    llm.script(slug, {**sse({"content": "word " * 60}, finish="stop", usage=None), "repeat": True})
    headers = {"authorization": f"Bearer {issued.key}"}
    body = {"model": slug, "messages": HELLO}
    statuses = [http.post("/v1/chat/completions", json=body, headers=headers).status_code for _ in range(2)]
    assert statuses == [200, 429]
