"""Tools that run as tasks, and not otherwise, are called as any other tool."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from connector.client import requests
from connector.client.requests import Exchange, InputRequired
from connector.errors import CallFailed
from tests.connector.conftest import SERVERS, wait_for
from tools.models import MCPTool

CLIENT = Exchange(capabilities={"elicitation": {"form": {}}}, session="of a client", key_id=1)


@pytest.fixture
async def tasks(servers: Any, supervise: Any, caller: Any) -> MCPTool:
    supervise()
    server: MCPTool = await servers.running(args=[str(SERVERS / "tasks.py")], name="tasks", asks_back=True)
    return server


async def call(
    server: MCPTool, tool: str, exchange: Exchange = requests.NONE, *, timeout_s: float = 10, **given: Any
) -> Any:
    params = {"name": tool, "arguments": given}
    return await requests.send(server.pk, "tools/call", params, timeout_s=timeout_s, exchange=exchange)


async def statuses(server: MCPTool) -> list[str]:
    result = await call(server, "statuses")
    return list(json.loads(result["content"][0]["text"]))


async def test_a_task_is_called_as_any_other_tool(tasks: MCPTool) -> None:
    reports: list[Any] = []
    exchange = Exchange(on_progress=reports.append)
    result = await call(tasks, "study", exchange, steps=3, every=0.4)
    assert result == {"content": [{"type": "text", "text": "studied"}], "isError": False}
    assert [each.message for each in reports][-1] == "step 3"
    assert sorted({each.progress for each in reports}) == [each.progress for each in reports]


async def test_a_task_that_fails_is_an_error_of_the_tool(tasks: MCPTool) -> None:
    result = await call(tasks, "study", steps=0, every=0, fail=True)
    assert result["isError"] is True


async def test_a_task_asks_the_client(tasks: MCPTool) -> None:
    given = {"steps": 1, "every": 0, "form": True}
    required = await call(tasks, "study", CLIENT, **given)
    assert isinstance(required, InputRequired)
    [name] = required.requests
    answer = {name: {"action": "accept", "content": {"name": "Ada"}}}
    result = await call(tasks, "study", replace(CLIENT, state=required.state, responses=answer), **given)
    assert "Ada" in result["content"][0]["text"]


async def test_a_caller_that_goes_cancels_the_task(tasks: MCPTool) -> None:
    calling = asyncio.create_task(call(tasks, "study", steps=1, every=30, timeout_s=60))

    async def reached(*wanted: str) -> bool:
        return await statuses(tasks) == list(wanted)

    await wait_for(lambda: reached("working"))
    calling.cancel()
    await wait_for(lambda: reached("cancelled"))


async def test_a_task_has_the_calls_deadline(tasks: MCPTool) -> None:
    with pytest.raises(CallFailed, match="did not answer within 1 s") as late:
        await call(tasks, "study", steps=1, every=30, timeout_s=1)
    assert late.value.code == "tool_timeout"

    async def is_cancelled() -> bool:
        return await statuses(tasks) == ["cancelled"]

    await wait_for(is_cancelled)
