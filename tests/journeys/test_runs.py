"""Chats through the real stack, and what the management API then tells of them."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from tests.stack import Stack, wait_for
from tools.models import MCPTool

GO: Any = [{"role": "user", "content": "go"}]


@pytest.fixture(scope="module")
def caller(stack: Stack) -> IssuedKey:
    return stack.key("runs-caller")


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Runs fake")


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    manager = stack.key("runs-manager", can_manage=True)
    headers = {"authorization": f"Bearer {manager.key}"}
    with httpx.Client(base_url=f"{stack.url}/api/v1", headers=headers, timeout=10) as client:
        yield client


@pytest.fixture
def client(stack: Stack, caller: IssuedKey) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=caller.key, max_retries=0, timeout=20) as client:
        yield client


def ended_run(api: httpx.Client, **query: str) -> dict[str, Any]:
    """The only run that the query finds, once it has ended, with its trace."""

    def is_there() -> bool:
        found = api.get("/runs", params=query).json()
        return len(found) == 1 and found[0]["status"] != "running"

    wait_for(is_there, within_s=30)
    [found] = api.get("/runs", params=query).json()
    return dict(api.get(f"/runs/{found['id']}").json())


def test_a_streamed_chat_with_a_tool_leaves_one_run(
    stack: Stack, caller: IssuedKey, fake: MCPTool, api: httpx.Client, client: openai.OpenAI
) -> None:
    stack.assistant("recorded", fake, keys=(caller,), store_bodies=True)
    stack.llm.script(
        "recorded",
        {
            "tool_calls": [{"name": "runs-fake__echo", "arguments": {"text": "one"}}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5},
        },
        {"text": "It said one.", "usage": {"prompt_tokens": 30, "completion_tokens": 4}},
    )
    with client.chat.completions.with_streaming_response.create(
        model="recorded",
        messages=GO,
        stream=True,
        extra_headers={"X-Session-Id": "chat-1"},
    ) as response:
        request_id = response.headers["x-request-id"]
        chunks = list(response.parse())
    extension = chunks[-1].model_extra["mcp_connector"]
    run = ended_run(api, assistant="recorded")
    assert (run["run_id"], run["request_id"]) == (extension["run_id"], request_id)
    assert (run["status"], run["rounds"], run["model"], run["answer"]) == (
        "completed",
        2,
        "recorded",
        "It said one.",
    )
    assert run["api_key"]["name"] == "runs-caller"
    assert run["usage"] == {
        "prompt_tokens": 50,
        "completion_tokens": 9,
        "total_tokens": 59,
        "server_tool_calls": 1,
    }
    assert 0 < run["first_token_ms"] <= run["duration_ms"]
    [call] = run["tool_calls"]
    assert (call["server"], call["function"], call["status"]) == ("Runs fake", "echo", "ok")
    assert (call["arguments"], "one" in call["result"]) == ({"text": "one"}, True)
    [session] = api.get("/sessions", params={"session_id": "chat-1"}).json()
    assert extension["session_id"] == "chat-1"
    assert (session["id"], session["run_count"]) == (run["conversation_id"], 1)
    usage = api.get("/usage", params={"assistant": "recorded", "group_by": "api_key,assistant,model,day"})
    assert [(row["runs"], row["total_tokens"]) for row in usage.json()] == [(1, 59)]


def test_a_caller_who_gives_up_leaves_a_cancelled_run(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI
) -> None:
    stack.assistant("given-up", keys=(caller,))
    stack.llm.script("given-up", {"text": "word " * 100, "chunk_delay_s": 0.1})
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(model="given-up", messages=GO)
    assert ended_run(api, assistant="given-up")["status"] == "cancelled"


def test_a_caller_who_leaves_a_stream_pays_for_what_was_said(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI
) -> None:
    stack.assistant("left", keys=(caller,))
    stack.llm.script("left", {"text": "word " * 100, "chunk_delay_s": 0.1})
    with client.chat.completions.create(model="left", messages=GO, stream=True) as stream:
        next(chunk for chunk in stream if chunk.choices[0].delta.content)
    run = ended_run(api, assistant="left")
    assert run["status"] == "cancelled"
    assert 0 < run["usage"]["completion_tokens"] < 50


def test_a_failed_run_says_why(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI
) -> None:
    stack.assistant("refused", keys=(caller,))
    stack.llm.script("refused", {"status": 401, "body": "no"})
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="refused", messages=GO)
    run = ended_run(api, assistant="refused")
    assert (run["status"], run["error"], run["usage"]["total_tokens"]) == ("failed", "upstream_auth_error", 0)


@pytest.mark.parametrize("field", ["session_id", "metadata"])
def test_a_body_names_its_session_too(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI, field: str
) -> None:
    slug = f"grouped-{field.replace('_', '-')}"
    stack.assistant(slug, keys=(caller,))
    stack.llm.script(slug, {"text": "Hello.", "repeat": True})
    body = {"session_id": slug} if field == "session_id" else {"metadata": {"session_id": slug}}
    for _ in range(2):
        client.chat.completions.create(model=slug, messages=GO, extra_body=body)
    wait_for(lambda: session_of(api, slug).get("run_count") == 2, within_s=30)


@pytest.mark.parametrize("header", ["X-OpenWebUI-Chat-Id", "x-litellm-session-id"])
def test_other_products_name_the_session_in_their_own_way(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI, header: str
) -> None:
    slug = header.lower()
    stack.assistant(slug, keys=(caller,))
    stack.llm.script(slug, {"text": "Hello."})
    client.chat.completions.create(model=slug, messages=GO, extra_headers={header: slug})
    wait_for(lambda: session_of(api, slug).get("run_count") == 1, within_s=30)


def session_of(api: httpx.Client, name: str) -> dict[str, Any]:
    return next(iter(api.get("/sessions", params={"session_id": name}).json()), {})


@pytest.mark.parametrize("name", ["two words", "é\n\u202e💥", "x" * 512])
def test_a_session_takes_any_name_that_metadata_may_hold(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI, name: str
) -> None:
    model = f"named-{len(name)}"
    stack.assistant(model, keys=(caller,))
    stack.llm.script(model, {"text": "Hello.", "repeat": True})
    client.chat.completions.create(model=model, messages=GO, extra_body={"session_id": name})
    client.chat.completions.create(model=model, messages=GO, metadata={"session_id": name})
    wait_for(lambda: session_of(api, name).get("run_count") == 2, within_s=30)


def test_a_session_that_a_header_names_in_utf_8_is_the_one_of_a_body(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI
) -> None:
    stack.assistant("umlaut", keys=(caller,))
    stack.llm.script("umlaut", {"text": "Hello.", "repeat": True})
    client.chat.completions.create(model="umlaut", messages=GO, extra_body={"session_id": "grün"})
    headers = {"authorization": f"Bearer {caller.key}", "x-session-id": "grün".encode()}
    body = {"model": "umlaut", "messages": GO}
    assert httpx.post(f"{stack.url}/v1/chat/completions", headers=headers, json=body).status_code == 200
    wait_for(lambda: session_of(api, "grün").get("run_count") == 2, within_s=30)


@pytest.mark.parametrize("name", ["x" * 513, "a\0b"])
def test_a_session_with_an_impossible_name_is_refused(
    stack: Stack, caller: IssuedKey, client: openai.OpenAI, name: str
) -> None:
    stack.assistant(f"refusing-{len(name)}", keys=(caller,))
    with pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(
            model=f"refusing-{len(name)}",
            messages=GO,
            extra_body={"session_id": name},
        )
    assert refusal.value.param == "session_id"


def test_an_assistant_answers_to_its_alias(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI
) -> None:
    stack.assistant("aliased", keys=(caller,), aliases=["gpt-4.1-mini"])
    stack.llm.script("aliased", {"text": "Hello.", "repeat": True})
    answer = client.chat.completions.create(model="gpt-4.1-mini", messages=GO)
    assert answer.choices[0].message.content == "Hello."
    assert ended_run(api, assistant="aliased")["status"] == "completed"
    assert client.models.retrieve("gpt-4.1-mini").id == "aliased"


def test_what_was_running_is_written_when_the_web_stops(
    stack: Stack, caller: IssuedKey, api: httpx.Client, client: openai.OpenAI
) -> None:
    stack.assistant("last", keys=(caller,))
    stack.llm.script("last", {"text": "Goodbye."})
    client.chat.completions.create(model="last", messages=GO)
    stack.process("web").stop(timeout_s=10)
    stack.start_process("web")
    stack.wait_until_ready()
    assert ended_run(api, assistant="last")["status"] == "completed"
