"""Runs of assistants whose model searches for its tools: real servers, a scripted LLM, a scripted search."""

import json
from typing import Any

import pytest

from assistants.actions.assistants import ToolUse
from assistants.agent import run
from assistants.agent.tool_search import tools as meta_tools_of
from assistants.events import ClientToolCalls, Finished, ToolFinished, ToolsSelected, ToolStarted
from assistants.selection.context import SelectionContext
from assistants.selection.tool_search import ToolSearch
from tests.assistants.agent.conftest import client_tool, text, tool_messages
from tests.assistants.agent.test_tool_selection import helper, offered, server
from tests.assistants.agent.test_tools import Helper, call, servers, supervise
from tests.assistants.selection.conftest import ScriptedSearch, found, functions, selecting
from tests.connector.conftest import Servers
from tools import actions as server_actions
from tools.models import MCPTool

__all__ = ["found", "helper", "server", "servers", "supervise"]


def searched(query: str, **fields: Any) -> dict[str, Any]:
    return {"name": "search_tools", "arguments": {"query": query, **fields}}


def called(name: str, arguments: Any = None) -> dict[str, Any]:
    return {"name": "call_tool", "arguments": {"name": name, "arguments": arguments or {}}}


async def test_the_model_finds_and_calls_its_tools(
    helper: Helper, server: MCPTool, found: ScriptedSearch
) -> None:
    await helper.uses(server, selection="search")
    found.answers["say it again"] = ["fake__echo", "fake__pid", "fake__big"]
    helper.llm.script(
        {"tool_calls": [searched("say it again", limit=2)]},
        {"tool_calls": [called("fake__echo", {"word": "ahoj"})]},
        {"text": "It said ahoj."},
    )
    events = await helper.events()
    bodies = helper.llm.bodies()
    assert [offered(body) for body in bodies] == [["search_tools", "call_tool"]] * 3
    [result] = tool_messages(bodies[1])
    shown = json.loads(result)["tools"]
    assert [each["name"] for each in shown] == ["fake__echo", "fake__pid"]
    assert shown[0].keys() == {"name", "description", "parameters"}
    [started] = [event for event in events if isinstance(event, ToolStarted)]
    assert (started.public_name, started.server, started.function) == ("fake__echo", "fake", "echo")
    assert started.arguments == {"word": "ahoj"}
    assert tool_messages(bodies[2])[1] == '{"word": "ahoj"}'
    given, looked_up = [event for event in events if isinstance(event, ToolsSelected)]
    assert (given.mode, given.candidates) == ("search", ())
    assert [each.chosen for each in looked_up.candidates] == [True, True, False]
    assert (text(events), events[-1]) == ("It said ahoj.", Finished("stop", 3))


async def test_a_search_without_a_hit_says_so_and_lists_some_tools(helper: Helper, server: MCPTool) -> None:
    await helper.uses(server, selection="search", top_k=2)
    helper.llm.script({"tool_calls": [searched("anything")]}, {"text": "So."})
    await helper.events()
    [shown] = tool_messages(helper.llm.bodies()[1])
    assert [each["name"] for each in json.loads(shown)["tools"]] == ["fake__big", "fake__cancelled"]
    assert json.loads(shown)["note"].startswith("Nothing was found")


async def test_without_tools_there_is_nothing_to_search(helper: Helper, found: ScriptedSearch) -> None:
    await helper.uses(selection="search")
    helper.llm.script({"tool_calls": [searched("anything")]}, {"text": "So."})
    await helper.events()
    assert tool_messages(helper.llm.bodies()[1]) == ["No tool was found."]
    assert found.asked == []


@pytest.mark.parametrize("arguments", ['{"word": "ahoj"}', {"word": "ahoj"}])
async def test_arguments_may_come_as_a_text(helper: Helper, server: MCPTool, arguments: Any) -> None:
    await helper.uses(server, selection="search")
    helper.llm.script({"tool_calls": [called("fake__echo", arguments)]}, {"text": "So."})
    await helper.events()
    assert tool_messages(helper.llm.bodies()[1]) == ['{"word": "ahoj"}']


async def test_a_tool_that_was_found_may_be_called_by_its_own_name(helper: Helper, server: MCPTool) -> None:
    await helper.uses(server, selection="search")
    helper.llm.script({"tool_calls": [call("echo", word="ahoj")]}, {"text": "So."})
    events = await helper.events()
    assert [event.status for event in events if isinstance(event, ToolFinished)] == ["ok"]


@pytest.mark.parametrize(
    ("mistake", "explanation"),
    [
        (called("fake__nothing"), "There is no tool 'fake__nothing'. Find one with search_tools"),
        (called("weather"), "Call weather itself, not by call_tool."),
        ({"name": "call_tool", "arguments": {}}, "There is no tool"),
        ({"name": "call_tool", "arguments": {"name": {}}}, "There is no tool"),
        ({"name": "call_tool", "arguments": "[]"}, "There is no tool"),
        (called("fake__echo", "{broken"), "The arguments are not a JSON object."),
        (called("fake__echo", [1]), "The arguments are not a JSON object."),
        (searched(""), "Give a query"),
        (searched(" \n"), "Give a query"),
        ({"name": "search_tools", "arguments": {"query": 7}}, "Give a query"),
        ({"name": "search_tools", "arguments": "broken"}, "Give a query"),
    ],
)
async def test_a_mistake_of_the_model_is_explained_to_it(
    helper: Helper, server: MCPTool, mistake: dict[str, Any], explanation: str
) -> None:
    await helper.uses(server, selection="search")
    helper.llm.script({"tool_calls": [mistake]}, {"text": "Sorry."})
    events = await helper.events(client_tools=[client_tool("weather")])
    assert tool_messages(helper.llm.bodies()[1])[0].startswith(explanation)
    assert not any(isinstance(event, ToolStarted) for event in events)


@pytest.mark.parametrize("limit", [0, -3, 10**9, "many", None, 2.5, True])
async def test_an_impossible_limit_is_none(
    helper: Helper, server: MCPTool, found: ScriptedSearch, limit: Any
) -> None:
    await helper.uses(server, selection="search")
    found.answers["q"] = ["fake__echo"]
    helper.llm.script({"tool_calls": [searched("q", limit=limit)]}, {"text": "So."})
    await helper.events()
    [shown] = tool_messages(helper.llm.bodies()[1])
    assert [each["name"] for each in json.loads(shown)["tools"]] == ["fake__echo"]


async def test_the_model_learns_that_a_server_stopped_between_search_and_call(
    helper: Helper, servers: Servers, server: MCPTool, found: ScriptedSearch
) -> None:
    await helper.uses(server, selection="search")
    found.answers["q"] = ["fake__echo"]
    helper.llm.script(
        {"tool_calls": [searched("q")]},
        {"tool_calls": [called("fake__echo")], "delay_s": 0.4},
        {"text": "It is gone."},
    )
    events = []
    async for event in run(await helper.request()):
        events.append(event)
        if isinstance(event, ToolsSelected) and event.candidates:
            await servers.act(server_actions.delete, server, force=True)
    [finished] = [event for event in events if isinstance(event, ToolFinished)]
    assert (finished.status, finished.error) == ("error", "server_unavailable")
    assert "not registered any more" in tool_messages(helper.llm.bodies()[2])[1]
    assert text(events) == "It is gone."


async def test_pinned_tools_are_offered_beside_the_meta_tools(helper: Helper, server: MCPTool) -> None:
    await helper.uses(ToolUse(server, pinned=("pid",)), selection="search")
    helper.llm.script({"text": "Hi"})
    await helper.events()
    assert offered(helper.llm.bodies()[0]) == ["pid", "search_tools", "call_tool"]


async def test_tools_used_before_are_not_offered_beside_the_meta_tools(
    helper: Helper, server: MCPTool
) -> None:
    await helper.uses(server, selection="search")
    request = await helper.request()
    earlier = {
        "role": "assistant",
        "content": "So.",
        "mcp_connector": {"tool_calls": [{"name": "fake__pid"}]},
    }
    helper.llm.script({"text": "Hi"})
    await helper.events(messages=[*request.messages, earlier, *request.messages], used=["fake__echo"])
    assert offered(helper.llm.bodies()[0]) == ["search_tools", "call_tool"]


async def test_calls_that_are_repeated_again_and_again_are_refused_by_either_way(
    helper: Helper, server: MCPTool
) -> None:
    await helper.uses(server, selection="search")
    helper.llm.script(*[{"tool_calls": [called("fake__pid")]}] * 6, {"text": "So."})
    await helper.events()
    shown = tool_messages(helper.llm.bodies()[-1])
    assert [each.startswith("Refused") for each in shown] == [False] * 5 + [True]


async def test_in_a_mixed_turn_the_callers_calls_are_handed_back(helper: Helper, server: MCPTool) -> None:
    await helper.uses(server, selection="search")
    helper.llm.script({"tool_calls": [called("fake__pid"), {"name": "weather"}]})
    events = await helper.events(client_tools=[client_tool("weather")])
    [returned] = [event for event in events if isinstance(event, ClientToolCalls)]
    assert [each.name for each in returned.calls] == ["weather"]
    assert [event.status for event in events if isinstance(event, ToolFinished)] == ["ok"]


async def test_tools_of_the_caller_keep_names_that_meta_tools_have(helper: Helper, server: MCPTool) -> None:
    await helper.uses(server, selection="search")
    theirs = [client_tool("search_tools"), client_tool("call_tool")]
    helper.llm.script(
        {"tool_calls": [{"name": "call_tool_2", "arguments": {"name": "fake__pid", "arguments": {}}}]},
        {"tool_calls": [{"name": "call_tool", "arguments": {"name": "fake__pid"}}]},
    )
    events = await helper.events(client_tools=theirs)
    assert offered(helper.llm.bodies()[0]) == ["search_tools_2", "call_tool_2", "search_tools", "call_tool"]
    assert [event.status for event in events if isinstance(event, ToolFinished)] == ["ok"]
    [returned] = [event for event in events if isinstance(event, ClientToolCalls)]
    assert [each.name for each in returned.calls] == ["call_tool"]


async def test_without_room_for_the_meta_tools_only_the_callers_are_offered(
    helper: Helper, server: MCPTool
) -> None:
    await helper.uses(server, selection="search")
    theirs = [client_tool(f"mine{number}") for number in range(127)]
    helper.llm.script({"text": "Hi"})
    await helper.events(client_tools=theirs)
    assert len(offered(helper.llm.bodies()[0])) == 127


async def test_the_results_of_a_search_fit_the_budget(found: ScriptedSearch) -> None:
    tools = functions(*(f"f{number}" for number in range(60)))
    found.answers["q"] = [each.public_name for each in tools]
    assistant = selecting(*tools, selection="search", schema_token_budget=400)
    search = ToolSearch(SelectionContext(assistant, {1}, "", max_tools=128))
    selection = await search.search("q", 50)
    assert 300 < selection.event.tokens <= 400
    assert search.initial([each.definition for each in meta_tools_of(search, [])]).event.tokens < 300
