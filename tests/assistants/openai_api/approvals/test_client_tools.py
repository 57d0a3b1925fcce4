"""Calls that staff must agree to, in the same round as calls of the caller's own tools."""

from typing import Any

import httpx
import openai
import pytest

from assistants.models import Approver
from tests.assistants.openai_api.approvals.conftest import ECHO, GO, ON, World, ask, shown

LOOK = {"name": "look", "arguments": {"at": "sky"}}
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@pytest.fixture
def world(world: World) -> World:
    world.ask_before(Approver.STAFF)
    return world


def looked(answer: Any) -> list[dict[str, Any]]:
    """What the caller sends back: the answer with its call, and the result of that."""
    [call] = answer.tool_calls
    called = {"role": "assistant", "content": answer.content, "tool_calls": [call.model_dump()]}
    return [called, {"role": "tool", "tool_call_id": call.id, "content": "blue"}]


def test_beside_a_call_for_the_caller_it_is_told_and_its_result_delivered(
    client: openai.OpenAI, world: World
) -> None:
    world.script({"tool_calls": [ECHO, LOOK]}, {"text": "Both."}, {"text": "Twice?"})
    first = ask(client, world, tools=TOOLS)
    approval = world.asked()
    assert first.content.startswith(f"[Waiting for approval {approval.pk}: echo of Asked")
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    second = ask(client, world, *looked(first), tools=TOOLS)
    assert second.content == "Both."
    assert [each["role"] for each in world.received()] == ["user", "assistant", "tool", "tool"]
    assert sorted(world.results()) == ["blue", '{"say": "hi"}']
    assert [each["function"]["name"] for each in world.received()[1]["tool_calls"]] == ["asked__echo", "look"]
    assert "Waiting for approval" not in str(world.received())
    ask(client, world, *looked(first), shown(second), ON, tools=TOOLS)
    assert sorted(world.results()) == ["blue", '{"say": "hi"}']
    assert world.calls == [{"say": "hi"}]


def test_beside_a_call_for_the_caller_it_may_wait_longer(client: openai.OpenAI, world: World) -> None:
    world.script({"text": "Two.", "tool_calls": [ECHO, LOOK]}, {"text": "One waits."}, {"text": "Both."})
    first = ask(client, world, tools=TOOLS)
    approval = world.asked()
    assert first.content.startswith("Two.\n\n[Waiting for approval")
    second = ask(client, world, *looked(first), tools=TOOLS)
    waiting, blue = world.results()
    assert ("still waited for" in waiting, blue) == (True, "blue")
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    assert ask(client, world, *looked(first), shown(second), ON, tools=TOOLS).content == "Both."
    assert (world.results(), world.calls) == (['{"say": "hi"}', "blue"], [{"say": "hi"}])


def test_beside_a_call_for_the_caller_a_stream_tells_it_too(http: httpx.Client, world: World) -> None:
    world.script({"tool_calls": [ECHO, LOOK]})
    body = {"model": world.model, "messages": [GO], "stream": True, "tools": TOOLS}
    text = http.post("/v1/chat/completions", json=body).text
    assert f"[Waiting for approval {world.asked().pk}" in text
    assert '"finish_reason":"tool_calls"' in text
