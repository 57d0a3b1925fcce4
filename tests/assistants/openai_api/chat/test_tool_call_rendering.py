"""The calls of our tools, shown where a request or an assistant asks for it, and nowhere else."""

import uuid
from typing import Any

import openai
import pytest

from apikeys.actions import IssuedKey
from tests.assistants.openai_api.conftest import HELLO, Post, error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack
from tools.models import MCPTool

SAY = "```\n</details>"
ECHO = {"text": "Wait.", "tool_calls": [{"name": "shown__echo", "arguments": {"say": SAY}}]}


@pytest.fixture(scope="module")
def server(stack: Stack) -> MCPTool:
    return stack.server("Shown")


@pytest.fixture
def model(stack: Stack, key: IssuedKey, server: MCPTool) -> str:
    return assistant(stack, key, server)


def assistant(stack: Stack, key: IssuedKey, server: MCPTool, **fields: Any) -> str:
    slug = f"shown-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, server, keys=(key,), **fields)
    return slug


def asked(client: openai.OpenAI, model: str, render: str | None = None, **fields: Any) -> Any:
    extra = {"mcp_connector": {"render": render}} if render else {}
    completion = client.chat.completions.create(model=model, messages=HELLO, extra_body=extra, **fields)  # type: ignore[call-overload]
    return completion.choices[0].message


def test_as_reasoning(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, ECHO, {"text": "Done."})
    message = asked(client, model, "reasoning")
    assert message.content == "Wait.\n\nDone."
    assert message.reasoning_content.startswith('Shown: echo({"say":')
    assert ": ok, " in message.reasoning_content


def test_as_reasoning_in_a_stream(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, ECHO, {"text": "Done."})
    extra = {"mcp_connector": {"render": "reasoning"}}
    with client.chat.completions.create(model=model, messages=HELLO, stream=True, extra_body=extra) as chunks:  # type: ignore[call-overload]
        deltas = [chunk.choices[0].delta for chunk in chunks]
    reasoning = [delta.reasoning_content for delta in deltas if hasattr(delta, "reasoning_content")]
    assert len(reasoning) == 1
    assert all(delta.tool_calls is None for delta in deltas)


def test_as_details_that_a_tool_cannot_break_out_of(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, ECHO, {"text": "Done."})
    content = asked(client, model, "details").content
    assert content.startswith("Wait.\n\n<details>\n<summary>Shown: echo (ok)</summary>")
    assert content.count("</details>") == 1
    assert "\n````\n" in content
    assert content.endswith("Done.")


def test_by_default_nothing_is_shown(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, ECHO, {"text": "Done."})
    message = asked(client, model)
    assert message.content == "Wait.\n\nDone."
    assert not hasattr(message, "reasoning_content")


def test_an_assistant_shows_and_a_request_overrules_it(
    stack: Stack, key: IssuedKey, server: MCPTool, client: openai.OpenAI, llm: ScriptedLLM
) -> None:
    slug = assistant(stack, key, server, rendering="details")
    llm.script(slug, ECHO, {"text": "Done."}, ECHO, {"text": "Done."})
    assert "<details>" in asked(client, slug).content
    assert "<details>" not in asked(client, slug, "none").content


def test_json_is_not_spoilt(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, ECHO, {"text": "{}"})
    assert asked(client, model, "details", response_format={"type": "json_object"}).content == "{}"


def test_an_unknown_rendering_is_refused(post: Post) -> None:
    error = error_of(post(mcp_connector={"render": "fireworks"}))
    assert error["param"] == "mcp_connector.render"
