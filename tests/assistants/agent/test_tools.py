"""Runs that call the tools of real MCP servers, which a real supervisor runs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from apikeys import actions as key_actions
from apikeys.authentication import Principal, authenticate
from assistants import actions, catalogue
from assistants.actions.assistants import ToolUse
from assistants.agent import RunRequest, run
from assistants.agent.llm import call_ids
from assistants.catalogue.entries import AssistantEntry
from assistants.events import (
    ClientToolCalls,
    Finished,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UnavailableTool,
    Usage,
)
from connector.client import calls
from core import feed
from tests.assistants.agent.conftest import Assistant, client_tool, open_gate, text, tool_messages
from tests.connector.conftest import BY, Servers, orm, servers, supervise
from tools import actions as server_actions
from tools.models import MCPTool, Status

__all__ = ["servers", "supervise"]


class Helper:
    """An assistant as staff make it and callers reach it, whose LLM is scripted by `llm`."""

    def __init__(self, llm: Assistant) -> None:
        self.llm = llm

    async def uses(self, *servers: MCPTool | ToolUse, **fields: Any) -> None:
        issued = await orm(key_actions.issue)(by=BY, name="alice")
        self.principal: Principal = await authenticate(f"Bearer {issued.key}")
        await orm(actions.create)(
            by=BY,
            name="Helper",
            model=self.llm.conversation,
            tools=servers,
            api_keys=[issued.api_key],
            **fields,
        )

    async def request(self, **asked: Any) -> RunRequest:
        entry: AssistantEntry = await catalogue.find("helper", self.principal)
        given = {"messages": [{"role": "user", "content": "Please"}], "gate": open_gate(entry), **asked}
        return RunRequest(entry, **given)

    async def events(self, **asked: Any) -> list[Any]:
        return [event async for event in run(await self.request(**asked))]


@pytest.fixture
async def helper(servers: Servers, assistant: Assistant, settings: LazySettings) -> AsyncIterator[Helper]:
    settings.OPENAI_BASE_URL = assistant.llm.base_url
    async with feed.listening(), calls.lifespan():
        yield Helper(assistant)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": f"fake__{name}", "arguments": arguments}


async def test_a_tool_gets_its_own_names_of_properties_back(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    await helper.uses(await servers.running("picky"))
    offered = {"filter": [{"id": 1, "field_name": "a"}], "order": "up"}
    helper.llm.script({"tool_calls": [call("find", **offered)]}, {"text": "Found."})
    events = await helper.events()
    own = {"$filter": [{"id": 1, "field[name]": "a"}], "order": "up"}
    [started] = [event for event in events if isinstance(event, ToolStarted)]
    first, second = helper.llm.bodies()
    assert started.arguments == own
    assert [json.loads(each) for each in tool_messages(second)] == [own]
    [schema] = [
        tool["function"]["parameters"] for tool in first["tools"] if tool["function"]["name"] == "fake__find"
    ]
    assert schema["properties"].keys() == {"filter", "limit", "order", "strict", "options", "all"}
    assert "$" not in json.dumps(schema)


async def test_wrong_arguments_go_back_to_the_model_and_not_to_the_server(
    helper: Helper, servers: Servers, supervise: Any, tmp_path: Path
) -> None:
    supervise()
    log = tmp_path / "calls"
    await helper.uses(await servers.running("picky", env={"FAKE_CALLS": str(log)}))
    bad = {"filter": [{"id": "x"}, {"field_name": 1}], "limit": 500}
    helper.llm.script({"tool_calls": [call("find", **bad)]}, {"text": "I give up."})
    events = await helper.events()
    [message] = tool_messages(helper.llm.bodies()[1])
    assert 'arguments.filter[0].id: expected integer, got string "x".' in message
    assert "arguments.filter[1].id: is required" in message
    assert "arguments.filter[1].field_name: expected string" in message
    assert "arguments.limit: expected maximum 100" in message
    [finished] = [event for event in events if isinstance(event, ToolFinished)]
    assert (finished.status, finished.error) == ("error", "invalid_arguments")
    assert not log.exists()


async def test_harmless_mistakes_in_arguments_are_mended(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    await helper.uses(await servers.running("picky"))
    sloppy = {
        "filter": '[{"id": "7", "field_name": "a"}]',
        "limit": "20",
        "strict": "true",
        "options": "{}",
    }
    helper.llm.script({"tool_calls": [call("find", **sloppy)]}, {"text": "Found."})
    await helper.events()
    [message] = tool_messages(helper.llm.bodies()[1])
    assert json.loads(message) == {
        "$filter": [{"id": 7, "field[name]": "a"}],
        "limit": 20,
        "strict": True,
        "options": {},
    }


async def test_it_calls_tools_and_answers_from_their_results(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    await helper.uses(await servers.running())
    helper.llm.script({"tool_calls": [call("echo", word="ahoj")]}, {"text": "It said ahoj."})
    counted, started, finished, *rest = await helper.events()
    assert isinstance(counted, Usage)
    assert isinstance(started, ToolStarted)
    assert (started.public_name, started.server, started.function) == ("fake__echo", "fake", "echo")
    assert started.arguments == {"word": "ahoj"}
    assert finished == ToolFinished(started.call_id, "fake__echo", "ok", finished.duration_ms, None)  # type: ignore[union-attr]
    assert finished.content == [{"text": '{"word": "ahoj"}'}]  # type: ignore[union-attr]
    assert text(rest) == "It said ahoj."
    assert rest[-1] == Finished("stop", 2)
    first, second = helper.llm.bodies()
    assert "fake__echo" in [tool["function"]["name"] for tool in first["tools"]]
    assert tool_messages(second) == ['{"word": "ahoj"}']
    assert second["messages"][-2]["tool_calls"][0]["id"] == call_ids.upstream_of(started.call_id)


async def test_several_rounds_of_several_tools(helper: Helper, servers: Servers, supervise: Any) -> None:
    supervise()
    await helper.uses(await servers.running())
    helper.llm.script(
        {"tool_calls": [call("sleep", s=4), call("sleep", s=4), call("echo", n=1)]},
        {"text": "And then.", "tool_calls": [call("echo", n=2)]},
        {"text": "Done."},
    )
    started = time.monotonic()
    events = await helper.events()
    assert time.monotonic() - started < 2 * 4  # at the same time, not one after the other
    assert text(events) == "And then.\n\nDone."
    assert events[-1] == Finished("stop", 3)
    assert tool_messages(helper.llm.bodies()[2]) == ["slept", "slept", '{"n": 1}', '{"n": 2}']


async def test_the_failure_of_a_tool_is_reported_to_the_model(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    await helper.uses(await servers.running(call_timeout_s=3))
    broken = {"name": "fake__echo", "arguments": "{broken"}
    wanted = [call("fail"), call("sleep", s=60), broken, {"name": "fake__echo", "arguments": "[1]"}]
    helper.llm.script({"tool_calls": wanted}, {"text": "Sorry."})
    events = await helper.events()
    assert text(events) == "Sorry."
    errors = [event.error for event in events if isinstance(event, ToolFinished)]
    assert errors == ["tool_error", "tool_timeout"]
    results = tool_messages(helper.llm.bodies()[1])
    assert results[0] == "it failed"
    assert "did not answer within 3 s" in results[1]
    assert results[2:] == ["The arguments are not a JSON object. Call it again."] * 2


async def test_a_server_that_dies_in_a_call_fails_the_call_and_not_the_run(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    await helper.uses(await servers.running())
    helper.llm.script({"tool_calls": [call("crash")]}, {"text": "It crashed."})
    events = await helper.events()
    assert text(events) == "It crashed."
    [finished] = [event for event in events if isinstance(event, ToolFinished)]
    assert (finished.status, finished.error) == ("error", "server_restarting")


async def test_an_unavailable_server_is_not_offered_but_named(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    missing = await servers.register(name="Weather station", command="no-such-command-here", args=[])
    await servers.wait_until(missing, Status.ERROR)
    await helper.uses(await servers.running(), missing, system_prompt="You help.")
    helper.llm.script({"text": "I cannot see the weather."})
    events = await helper.events()
    [unavailable] = events[-1].unavailable  # type: ignore[union-attr]
    assert unavailable == UnavailableTool("Weather station", unavailable.reason)
    assert "no-such-command-here" in unavailable.reason
    [body] = helper.llm.bodies()
    prompt, notice = body["messages"][0]["content"].split("\n\n")
    assert prompt == "You help."
    assert notice.startswith("These tool servers are unavailable now")
    assert f"Weather station ({unavailable.reason})" in notice
    assert {tool["function"]["name"].split("__")[0] for tool in body["tools"]} == {"fake"}


async def test_the_functions_of_a_stopped_server_are_not_offered(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    running, stopped = await servers.running(), await servers.running(name="Other")
    await helper.uses(running, stopped)
    await servers.act(server_actions.stop, stopped)
    await servers.wait_until(stopped, Status.STOPPED)
    helper.llm.script({"text": "Hi"})
    assert (await helper.events())[-1] == Finished(
        "stop", 1, (UnavailableTool("Other", "The server is stopped."),)
    )
    [body] = helper.llm.bodies()
    assert {tool["function"]["name"].split("__")[0] for tool in body["tools"]} == {"fake"}


async def test_a_long_result_is_cut_for_the_model(
    helper: Helper, servers: Servers, supervise: Any, settings: LazySettings
) -> None:
    supervise()
    settings.TOOL_RESULT_LIMIT = 1000
    await helper.uses(await servers.running())
    helper.llm.script({"tool_calls": [call("big", bytes=100_000)]}, {"text": "Long."})
    await helper.events()
    [results] = tool_messages(helper.llm.bodies()[1])
    assert "99,000 of 100,000 bytes left out" in results


async def test_in_a_mixed_turn_ours_run_and_the_callers_are_handed_back(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    await helper.uses(await servers.running())
    helper.llm.script({"tool_calls": [call("echo", n=1), {"name": "weather"}, call("echo", n=2)]})
    events = await helper.events(client_tools=[client_tool("weather")])
    assert [event.status for event in events if isinstance(event, ToolFinished)] == ["ok", "ok"]
    [returned] = [event for event in events if isinstance(event, ClientToolCalls)]
    assert [call.name for call in returned.calls] == ["weather"]
    assert events[-1] == Finished("tool_calls", 1)


async def test_closing_a_run_cancels_its_tools_at_once(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    server = await servers.running()
    await helper.uses(server)
    helper.llm.script({"text": "Wait.", "tool_calls": [call("sleep", s=30), call("sleep", s=30)]})
    events = run(await helper.request())
    seen = [await anext(events) for _ in range(5)]
    assert [type(event) for event in seen] == [TextDelta, Usage, ToolStarted, Usage, ToolStarted]
    await asyncio.sleep(0.3)  # until the calls have reached the server
    began = time.monotonic()
    await events.aclose()
    assert time.monotonic() - began < 15
    result = await calls.call(server.pk, "cancelled", {}, timeout_s=5)
    assert json.loads(result.content[0]["text"]) == 2


async def test_a_function_that_is_switched_off_is_gone_from_the_next_run(
    helper: Helper, servers: Servers, supervise: Any
) -> None:
    supervise()
    server = await servers.running()
    await helper.uses(server)
    helper.llm.script({"text": "Hi", "repeat": True})
    await helper.events()
    await orm(lambda: server.functions.filter(name="echo").update(is_enabled=False))()
    await asyncio.sleep(0.3)  # the feed's way
    await helper.events()
    before, after = ({tool["function"]["name"] for tool in body["tools"]} for body in helper.llm.bodies())
    assert before - after == {"fake__echo"}
