"""A search among the tools instead of all their definitions."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from config.runner.network import free_port
from tests.assistants.mcp_endpoint.clients import ERAS, Caller, connected
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.stack import Stack, readiness, wait_for

Callers = Callable[..., Caller]
META = ["search_tools", "call_tool"]


def tools(caller: Caller) -> list[dict[str, Any]]:
    caller.initialize()
    listed: list[dict[str, Any]] = caller.request("tools/list").json()["result"]["tools"]
    return listed


def test_an_address_may_ask_for_the_search(caller: Callers) -> None:
    listed = tools(caller("/mcp?tools=search"))
    assert [tool["name"] for tool in listed] == META
    assert listed[0]["annotations"]["readOnlyHint"] is True
    assert "not listed" in listed[0]["description"]


def test_an_assistant_that_selects_is_searched(stack: Stack, desk: Desk, caller: Callers) -> None:
    key = stack.key("Searches")
    stack.assistant("selecting", desk.fake, keys=(key,), selection="retrieved")
    assert [tool["name"] for tool in tools(caller("/mcp/a/selecting", key=key.key))] == META
    assert len(tools(caller("/mcp/a/selecting?tools=all", key=key.key))) > 2


def test_definitions_that_would_fill_a_context_are_searched(stack: Stack, desk: Desk) -> None:
    port = free_port()
    process = stack.start_process("small", stack.web_command(port), MCP_CONTEXT_TOKENS="2000")
    try:
        wait_for(lambda: readiness(f"http://127.0.0.1:{port}") == "ok", within_s=60)
        client = Caller(f"http://127.0.0.1:{port}/mcp", desk.key.key)
        listed = tools(client)
        client.http.close()
    finally:
        process.stop(timeout_s=10)
    assert [tool["name"] for tool in listed] == META
    assert "fill your context" in listed[0]["description"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_is_found_and_called(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp?tools=search", desk.key.key, era=era) as client:
        found = await client.call_tool("search_tools", {"query": "weigh a thing"})
        names = [tool["name"] for tool in json.loads(found.content[0].text)["tools"]]  # type: ignore[union-attr]
        assert "fake-desk__weigh" in names
        called = {"name": "fake-desk__weigh", "arguments": {"thing": "apple"}}
        result = await client.call_tool("call_tool", called)
        assert result.structured_content == {"grams": 2}


def test_a_query_must_say_something(caller: Callers) -> None:
    client = caller("/mcp?tools=search")
    client.initialize()
    for arguments in (
        {},
        {"query": " "},
        {"query": 7},
        {"query": "x", "limit": 0},
        {"query": "x", "limit": "9"},
    ):
        answer = client.request("tools/call", name="search_tools", arguments=arguments).json()
        assert answer["result"]["isError"] is True


def test_what_was_not_found_cannot_be_called(caller: Callers) -> None:
    client = caller("/mcp?tools=search")
    client.initialize()
    for arguments in ({}, {"name": "no-such"}, {"name": 7}, {"name": "fake-desk__weigh", "arguments": []}):
        answer = client.request("tools/call", name="call_tool", arguments=arguments).json()
        assert answer["result"]["isError"] is True


def test_arguments_beside_the_arguments_are_refused(caller: Callers) -> None:
    """A tool whose parameters have defaults would run without them."""
    client = caller("/mcp?tools=search")
    client.initialize()
    called = {"name": "fake-desk__weigh", "arguments": {"thing": "apple"}, "unit": "g"}
    result = client.request("tools/call", name="call_tool", arguments=called).json()["result"]
    assert result["isError"] is True
    assert "put 'unit' into 'arguments'" in result["content"][0]["text"]


def test_without_the_search_nothing_has_its_names(caller: Callers) -> None:
    client = caller()
    client.initialize()
    answer = client.request("tools/call", name="search_tools", arguments={"query": "x"}).json()
    assert answer["error"]["code"] == -32602
