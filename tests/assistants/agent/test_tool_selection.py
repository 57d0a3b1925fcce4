"""Runs of assistants that select tools: real servers, a scripted LLM, and a scripted search."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.conf import LazySettings

from assistants.events import ToolFinished, ToolsSelected, ToolStarted
from connector.client import calls
from core import feed
from tests.assistants.agent.conftest import Assistant, client_tool, text, tool_messages
from tests.assistants.agent.test_tools import Helper, call, servers, supervise
from tests.assistants.selection.conftest import ScriptedSearch, found
from tests.connector.conftest import Servers
from tools.models import MCPTool

__all__ = ["found", "servers", "supervise"]


@pytest.fixture
async def server(servers: Servers, supervise: Any) -> MCPTool:
    supervise()
    return await servers.running()


@pytest.fixture
async def helper(
    server: MCPTool, assistant: Assistant, found: ScriptedSearch, settings: LazySettings
) -> AsyncIterator[Helper]:
    settings.OPENAI_BASE_URL = assistant.llm.base_url
    found.answers["Please"] = ["fake__echo", "fake__pid"]
    async with feed.listening(), calls.lifespan():
        yield Helper(assistant)


def offered(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"].removeprefix("fake__") for tool in body.get("tools", ())]


async def test_the_model_is_offered_the_tools_that_were_found_and_all_of_the_callers(
    helper: Helper, server: MCPTool
) -> None:
    await helper.uses(server, selection="retrieved", top_k=2)
    helper.llm.script({"tool_calls": [call("echo", word="ahoj")]}, {"text": "It said ahoj."})
    selected, *events = await helper.events(client_tools=[client_tool("weather")])
    assert isinstance(selected, ToolsSelected)
    assert [each.public_name for each in selected.candidates if each.chosen] == ["fake__echo", "fake__pid"]
    assert text(events) == "It said ahoj."
    assert [offered(body) for body in helper.llm.bodies()] == [["echo", "pid", "weather"]] * 2
    assert not any(isinstance(event, ToolsSelected) for event in events)


async def test_tools_are_selected_anew_when_the_model_asks_for_more(
    helper: Helper, server: MCPTool, found: ScriptedSearch
) -> None:
    await helper.uses(server, selection="retrieved", top_k=2)
    found.answers["I need its environment."] = ["fake__environment"]
    helper.llm.script(
        {"text": "I need its environment.", "tool_calls": [call("pid")]},
        {"tool_calls": [call("environment")]},
        {"text": "There."},
    )
    events = await helper.events()
    assert [offered(body) for body in helper.llm.bodies()] == [["echo", "pid"]] + [
        ["echo", "environment", "pid"]
    ] * 2
    assert [event.status for event in events if isinstance(event, ToolFinished)] == ["ok", "ok"]
    assert found.asked == ["Please", "I need its environment."]


async def test_a_tool_that_is_not_offered_is_not_run_but_offered_in_the_next_round(
    helper: Helper, server: MCPTool
) -> None:
    await helper.uses(server, selection="retrieved", top_k=1)
    helper.llm.script(
        {"tool_calls": [call("big", bytes=9)]}, {"tool_calls": [call("big", bytes=9)]}, {"text": "So."}
    )
    events = await helper.events()
    assert [offered(body) for body in helper.llm.bodies()] == [["echo"], ["big", "echo"], ["big", "echo"]]
    assert [event.public_name for event in events if isinstance(event, ToolStarted)] == ["fake__big"]
    assert tool_messages(helper.llm.bodies()[2]) == [
        "Not called: it was not among your tools. If it is now, call it again.",
        "x" * 9,
    ]


async def test_a_forced_tool_is_offered(helper: Helper, server: MCPTool) -> None:
    await helper.uses(server, selection="retrieved", top_k=1)
    choice = {"type": "function", "function": {"name": "fake__fail"}}
    helper.llm.script({"text": "Hm."})
    await helper.events(tool_choice=choice)
    [body] = helper.llm.bodies()
    assert (offered(body), body["tool_choice"]) == (["echo", "fail"], choice)


async def test_the_choice_none_searches_for_nothing(
    helper: Helper, server: MCPTool, found: ScriptedSearch
) -> None:
    await helper.uses(server, selection="retrieved")
    helper.llm.script({"text": "By myself."})
    events = await helper.events(tool_choice="none")
    assert "tools" not in helper.llm.bodies()[0]
    assert found.asked == []
    assert not any(isinstance(event, ToolsSelected) for event in events)


async def test_the_last_round_without_tools_needs_no_search(
    helper: Helper, server: MCPTool, found: ScriptedSearch
) -> None:
    await helper.uses(server, selection="retrieved", max_rounds=1)
    helper.llm.script({"text": "Looking.", "tool_calls": [call("pid")]}, {"text": "Enough."})
    await helper.events()
    assert "tools" not in helper.llm.bodies()[1]
    assert found.asked == ["Please"]


async def test_calls_of_the_callers_tools_start_no_search(
    helper: Helper, server: MCPTool, found: ScriptedSearch
) -> None:
    await helper.uses(server, selection="retrieved")
    tool_call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    request = await helper.request(client_tools=[client_tool("weather")])
    messages = [
        *request.messages,
        {"role": "assistant", "content": None, "tool_calls": [tool_call]},
        {"role": "tool", "tool_call_id": "1", "content": "Rain"},
    ]
    helper.llm.script({"text": "It rains."})
    await helper.events(client_tools=[client_tool("weather")], messages=messages)
    assert found.asked == ["Please"]


async def test_a_json_answer_can_be_repaired(helper: Helper, server: MCPTool) -> None:
    await helper.uses(server, selection="retrieved")
    helper.llm.script({"text": "not JSON"}, {"text": '{"a": 1}'})
    events = await helper.events(parameters={"response_format": {"type": "json_object"}})
    assert text(events) == '{"a": 1}'
