"""Requests of MCP clients to servers of both eras: results as they are, errors, progress, cancellation."""

import asyncio
import json
from typing import Any

import pytest

from connector.client import requests
from connector.client.requests import Exchange
from connector.errors import CallFailed, ServerError
from tests.connector.conftest import SERVERS, wait_for
from tests.servers.asking import EXTRA, FULL
from tools.models import MCPTool, ToolFunction


@pytest.fixture(params=["session", "modern"])
async def asking(request: Any, servers: Any, supervise: Any, caller: Any) -> MCPTool:
    supervise()
    server: MCPTool = await servers.running(args=[str(SERVERS / "asking.py"), request.param], name="asking")
    return server


async def call(server: MCPTool, tool: str, exchange: Exchange = requests.NONE, **options: Any) -> Any:
    timeout_s = options.pop("timeout_s", 5)
    params = {"name": tool, "arguments": options}
    return await requests.send(server.pk, "tools/call", params, timeout_s=timeout_s, exchange=exchange)


async def said(server: MCPTool, tool: str, exchange: Exchange = requests.NONE, **options: Any) -> Any:
    return json.loads((await call(server, tool, exchange, **options))["content"][0]["text"])


async def test_a_result_is_passed_on_as_it_is(asking: MCPTool) -> None:
    assert await call(asking, "full") == FULL


async def test_an_error_of_the_server_is_passed_on_as_it_is(asking: MCPTool) -> None:
    with pytest.raises(ServerError) as refused:
        await call(asking, "refuse")
    error = refused.value
    assert (error.code, error.message, error.data) == (-32042, "Not today", {"why": "rain"})


async def test_an_error_sends_nobody_to_a_url_by_http(asking: MCPTool) -> None:
    with pytest.raises(CallFailed, match="not https"):
        await call(asking, "refuse", url="http://login.example/")
    with pytest.raises(ServerError):
        await call(asking, "refuse", url="http://127.0.0.1:9/")


async def test_the_meta_of_the_client_reaches_the_server(asking: MCPTool) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "example/a": {"b": 1}}
    of_client = {"io.modelcontextprotocol/clientInfo": {"name": "somebody", "version": "1"}}
    params = await said(asking, "params", Exchange(meta=trace | of_client), a=None)
    assert params["arguments"] == {"a": None}
    assert trace.items() <= params["_meta"].items()
    assert "progressToken" in params["_meta"]
    assert params["_meta"].get("io.modelcontextprotocol/clientInfo") != of_client


async def test_completions_are_passed_on(asking: MCPTool) -> None:
    params = {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "y", "value": "z"}}
    result = await requests.send(asking.pk, "completion/complete", params, timeout_s=5)
    assert isinstance(result, dict)
    assert result["completion"] == {"values": ["za", "zb"]}


async def test_progress_puts_the_deadline_off_and_is_reported(asking: MCPTool) -> None:
    reports: list[Any] = []
    exchange = Exchange(on_progress=reports.append)
    await call(asking, "report", exchange, every=0.4, times=6, timeout_s=1)
    assert [each.progress for each in reports] == [1, 2, 3, 4, 5, 6]
    await call(asking, "report", every=0.4, times=6, timeout_s=1)


async def test_progress_puts_the_deadline_off_up_to_the_ceiling(asking: MCPTool, settings: Any) -> None:
    settings.MCP_CALL_CEILING_S = 1.5
    with pytest.raises(CallFailed, match=r"report did not end within 1\.5 s") as failed:
        await call(asking, "report", every=0.3, times=100, timeout_s=1)
    assert failed.value.code == "tool_timeout"


async def test_a_caller_that_goes_cancels_the_request(asking: MCPTool) -> None:
    waiting = asyncio.create_task(call(asking, "wait", timeout_s=20))
    await asyncio.sleep(1)
    before = await said(asking, "cancelled")
    waiting.cancel()

    async def is_cancelled() -> bool:
        return bool(await said(asking, "cancelled") == before + 1)

    await wait_for(is_cancelled)


async def test_all_that_a_server_says_of_its_tools_and_itself_is_stored(
    asking: MCPTool, servers: Any
) -> None:
    tool = await ToolFunction.objects.aget(server=asking, name="wait")
    assert tool.extra == EXTRA
    announced = (await wait_for(lambda: servers.row(asking))).announced
    assert announced["instructions"] == "Ask before you act."
    assert announced["serverInfo"]["websiteUrl"] == "https://asking.example"
    assert announced["capabilities"].keys() >= {"tools", "completions"}
