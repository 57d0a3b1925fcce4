"""A caller with openai-python, a real web process, real workers and real MCP servers."""

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from config.runner.network import free_port
from config.runner.processes import Program, Running
from connector.models import Instance
from tests.ports import listed_port
from tests.stack import BY, SERVERS, Stack, readiness, wait_for
from tools.models import MCPTool, Status


def client(stack: Stack, key: IssuedKey) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{stack.url}/v1", api_key=key.key, max_retries=0, timeout=30)


@pytest.fixture(scope="module")
def key(stack: Stack) -> IssuedKey:
    return stack.key("journeys")


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Fake")


@pytest.fixture(scope="module")
def remote(stack: Stack) -> Iterator[dict[str, str]]:
    """Addresses of one real server, by transport."""
    ports = {"sse": listed_port(), "streamable_http": listed_port()}
    servers = [
        Running(
            Program(name, [sys.executable, str(SERVERS / "real.py"), name.replace("_", "-"), str(port)]),
            stack.folder / f"{name}.log",
        )
        for name, port in ports.items()
    ]
    yield {
        "sse": f"http://127.0.0.1:{ports['sse']}/sse",
        "streamable_http": f"http://127.0.0.1:{ports['streamable_http']}/mcp",
    }
    for server in servers:
        server.stop(timeout_s=3)


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def tool_texts(stack: Stack, slug: str) -> list[str]:
    """What the LLM was given as results of tools, in its last request."""
    return [
        json.dumps(message["content"])
        for message in stack.llm.bodies(slug)[-1]["messages"]
        if message["role"] == "tool"
    ]


def test_a_streamed_chat_with_two_rounds_of_tools(stack: Stack, key: IssuedKey, fake: MCPTool) -> None:
    stack.assistant("two-rounds", fake, keys=(key,))
    stack.llm.script(
        "two-rounds",
        {"tool_calls": [{"name": "fake__echo", "arguments": {"text": "one"}}, {"name": "fake__pid"}]},
        {"text": "Let me look again.", "tool_calls": [{"name": "fake__echo", "arguments": {"text": "two"}}]},
        {"text": "Both are done."},
    )
    stream = client(stack, key).chat.completions.create(
        model="two-rounds", messages=ask("go"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == "Let me look again.\n\nBoth are done."
    assert choices[0].delta.role == "assistant"
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert not any(choice.delta.tool_calls for choice in choices)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1
    results = tool_texts(stack, "two-rounds")
    assert (len(results), "one" in results[0], "two" in results[2]) == (3, True, True)


def test_a_whole_answer_names_the_tools_that_ran(stack: Stack, key: IssuedKey, fake: MCPTool) -> None:
    stack.assistant("whole", fake, keys=(key,))
    stack.llm.script("whole", {"tool_calls": [{"name": "fake__echo"}]}, {"text": "Done."})
    completion = client(stack, key).chat.completions.create(model="whole", messages=ask("go"))
    message = completion.choices[0].message
    assert (message.content, message.tool_calls) == ("Done.", None)
    ran = message.model_extra["mcp_connector"]["tool_calls"]
    assert [(call["server"], call["status"]) for call in ran] == [("Fake", "ok")]


@pytest.mark.parametrize("transport", ["sse", "streamable_http"])
def test_remote_servers_are_called(
    stack: Stack, key: IssuedKey, remote: dict[str, str], transport: str
) -> None:
    slug = transport.replace("_", "-")
    server = stack.server(slug, connection_type=transport, command="", args=[], url=remote[transport])
    stack.assistant(f"by-{slug}", server, keys=(key,))
    stack.llm.script(
        f"by-{slug}",
        {"tool_calls": [{"name": f"{slug}__add", "arguments": {"a": 2, "b": 40}}]},
        {"text": "ok"},
    )
    client(stack, key).chat.completions.create(model=f"by-{slug}", messages=ask("add"))
    assert "42" in tool_texts(stack, f"by-{slug}")[0]


def test_a_server_that_crashes_in_a_call_fails_that_call_and_comes_back(stack: Stack, key: IssuedKey) -> None:
    server = stack.server("Crashing")
    stack.assistant("crashing", server, keys=(key,))
    stack.llm.script("crashing", {"tool_calls": [{"name": "crashing__crash"}]}, {"text": "It failed."})
    started = time.monotonic()
    completion = client(stack, key).chat.completions.create(model="crashing", messages=ask("crash"))
    assert completion.choices[0].message.content == "It failed."
    assert time.monotonic() - started < 20
    assert completion.choices[0].message.model_extra["mcp_connector"]["tool_calls"][0]["status"] == "error"

    stack.wait_for_status(server, Status.RUNNING)
    stack.llm.script("crashing", {"tool_calls": [{"name": "crashing__pid"}]}, {"text": "Back."})
    completion = client(stack, key).chat.completions.create(model="crashing", messages=ask("again"))
    assert completion.choices[0].message.model_extra["mcp_connector"]["tool_calls"][0]["status"] == "ok"


def test_a_command_that_does_not_exist_is_reported_and_the_assistant_answers(
    stack: Stack, key: IssuedKey, fake: MCPTool
) -> None:
    missing = stack.server("Missing", command="no-such-command-5f1c", args=[], wait=False)
    missing = stack.wait_for_status(missing, Status.ERROR)
    assert "no-such-command-5f1c" in str(missing.error_message)
    stack.assistant("with-missing", fake, missing, keys=(key,))
    stack.llm.script("with-missing", {"text": "I can still talk."})
    completion = client(stack, key).chat.completions.create(model="with-missing", messages=ask("hello"))
    extension = completion.choices[0].message.model_extra["mcp_connector"]
    assert [tool["server"] for tool in extension["unavailable_tools"]] == ["Missing"]
    system = stack.llm.bodies("with-missing")[-1]["messages"][0]
    assert (system["role"], "Missing" in system["content"]) == ("system", True)


def refusal_of(caller: openai.OpenAI, model: str) -> openai.AuthenticationError:
    """Asks until the key is refused: the process is told of its change a moment later."""
    refusals: list[openai.AuthenticationError] = []

    def is_refused() -> bool:
        try:
            caller.chat.completions.create(model=model, messages=ask("hello"))
        except openai.AuthenticationError as refusal:
            refusals.append(refusal)
        return bool(refusals)

    wait_for(is_refused, within_s=15)
    return refusals[0]


def test_a_revoked_key_is_soon_refused(stack: Stack) -> None:
    revoked = stack.key("revoked")
    stack.assistant("revoking", keys=(revoked,))
    stack.llm.script("revoking", {"text": "Hello.", "repeat": True})
    caller = client(stack, revoked)
    caller.chat.completions.create(model="revoking", messages=ask("hello"))
    with stack.database():
        key_actions.disable(revoked.api_key, by=BY)
    assert refusal_of(caller, "revoking").code == "invalid_api_key"


def test_a_key_is_revoked_with_redis_down(stack: Stack) -> None:
    revoked = stack.key("revoked without redis")
    stack.assistant("without-redis", keys=(revoked,))
    stack.llm.script("without-redis", {"text": "Hello.", "repeat": True})
    port = free_port()
    web = stack.start_process("lonely", stack.web_command(port), REDIS_URL="redis://127.0.0.1:9/0")
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "degraded", within_s=60)
    caller = openai.OpenAI(base_url=f"{url}/v1", api_key=revoked.key, max_retries=0)
    caller.chat.completions.create(model="without-redis", messages=ask("hello"))
    with stack.database():
        key_actions.disable(revoked.api_key, by=BY)
    assert refusal_of(caller, "without-redis").code == "invalid_api_key"
    web.stop(timeout_s=10)


def test_a_key_sees_and_calls_only_its_assistants(stack: Stack, key: IssuedKey) -> None:
    other = stack.key("other")
    stack.assistant("private", keys=(key,))
    stack.assistant("public", keys=(key, other))
    assert [model.id for model in client(stack, other).models.list()] == ["public"]
    assert "private" in [model.id for model in client(stack, key).models.list()]
    for model in ("private", "no-such-model"):
        with pytest.raises(openai.NotFoundError) as refusal:
            client(stack, other).chat.completions.create(model=model, messages=ask("hello"))
        assert refusal.value.code == "model_not_found"


def test_streams_hold_no_database_connection(stack: Stack, key: IssuedKey, fake: MCPTool) -> None:
    """Each process may have four; three times as many streams run side by side."""
    slugs = [f"slow-{number}" for number in range(12)]
    for slug in slugs:
        stack.assistant(slug, fake, keys=(key,))
        stack.llm.script(
            slug,
            {"tool_calls": [{"name": "fake__sleep", "arguments": {"s": 3}}], "delay_s": 2},
            {"text": "Slept."},
        )

    def chat(slug: str) -> str:
        stream = client(stack, key).chat.completions.create(model=slug, messages=ask("go"), stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    started = time.monotonic()
    with ThreadPoolExecutor(len(slugs)) as threads:
        assert set(threads.map(chat, slugs)) == {"Slept."}
    assert time.monotonic() - started < 3 * (3 + 2)  # the least, if only four ran at once


def test_everything_can_be_restarted(stack: Stack, key: IssuedKey, fake: MCPTool) -> None:
    stack.assistant("restarted", fake, keys=(key,))
    stack.llm.script("restarted", {"tool_calls": [{"name": "fake__pid"}]}, {"text": "1"})
    client(stack, key).chat.completions.create(model="restarted", messages=ask("go"))
    before = tool_texts(stack, "restarted")[0]
    stack.stop()
    with stack.database():
        assert not Instance.objects.filter(server=fake).exclude(worker=None).exists()
    stack.start()
    stack.wait_for_status(fake, Status.RUNNING)
    stack.llm.script("restarted", {"tool_calls": [{"name": "fake__pid"}]}, {"text": "2"})
    client(stack, key).chat.completions.create(model="restarted", messages=ask("go"))
    after = tool_texts(stack, "restarted")[0]
    assert "error" not in after.lower()
    assert before != after


def test_a_killed_worker_is_replaced(stack: Stack, key: IssuedKey, fake: MCPTool) -> None:
    stack.assistant("after-kill", fake, keys=(key,))
    worker = stack.process("mcp")
    worker.popen.kill()
    worker.popen.wait()
    stack.start_process("mcp")

    def answers() -> bool:
        stack.llm.script("after-kill", {"tool_calls": [{"name": "fake__pid"}]}, {"text": "ok"})
        completion = client(stack, key).chat.completions.create(model="after-kill", messages=ask("go"))
        ran = completion.choices[0].message.model_extra["mcp_connector"]["tool_calls"]
        return [call["status"] for call in ran] == ["ok"]

    wait_for(answers, within_s=40)
