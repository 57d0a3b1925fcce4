"""server-everything through the endpoint: the tools that it lists only for some clients, and tasks.

It asks by elicitation, sampling and roots, and lists the tools that do so only for clients that can be asked.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.types import CallToolResult, CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

from tests.assistants.mcp_endpoint.clients import ERAS, connected
from tests.mcp_endpoint.conformance import Packages
from tests.mcp_endpoint.test_differential import of_node
from tests.stack import BY, Stack
from tools import actions
from tools.models import MCPTool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # the first run installs
CONDITIONAL = {
    "get-roots-list",
    "trigger-elicitation-request",
    "trigger-url-elicitation",
    "trigger-sampling-request",
}
STAGES = {"Gathering sources...", "Analyzing content...", "Synthesizing findings...", "Generating report..."}
Connect = Callable[..., AbstractAsyncContextManager[Client]]


async def elicited(_: ClientRequestContext, params: Any) -> ElicitResult:
    if "interpretation" in params.requested_schema["properties"]:
        return ElicitResult(action="accept", content={"interpretation": "snake"})
    return ElicitResult(action="accept", content={"name": "Ada"})


async def sampled(_: ClientRequestContext, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", model="m", content=TextContent(text="sampled", type="text"))


async def rooted(_: ClientRequestContext) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///srv/ada")])  # type: ignore[arg-type]


ANSWERS = {
    "elicitation_callback": elicited,
    "sampling_callback": sampled,
    "list_roots_callback": rooted,
}


@pytest.fixture(scope="module")
def connect(stack: Stack) -> Iterator[Connect]:
    if (reason := Packages.missing()) is not None:
        pytest.skip(reason)
    Packages({})
    server = stack.server(
        "Everything", command="node", args=[of_node("server-everything"), "stdio"], asks_back=True
    )
    key = stack.key("Everything", can_manage=True, can_call_assistant=False).key

    @asynccontextmanager
    async def connecting(era: str, **answers: Any) -> AsyncIterator[Client]:
        async with connected(f"{stack.url}/mcp/s/{server.slug}", key, era=era, **answers) as client:
            yield client

    yield connecting
    with stack.database():
        actions.delete(MCPTool.objects.get(pk=server.pk), by=BY)


def said(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


@pytest.mark.parametrize("era", ERAS)
async def test_tools_for_clients_that_can_be_asked_are_listed_and_ask(connect: Connect, era: str) -> None:
    async with connect(era, **ANSWERS) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} >= CONDITIONAL
        assert "Ada" in said(await client.call_tool("trigger-elicitation-request", {}))
        assert "sampled" in said(await client.call_tool("trigger-sampling-request", {"prompt": "x"}))
        assert "file:///srv/ada" in said(await client.call_tool("get-roots-list", {}))


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_be_asked_gets_the_reason(connect: Connect, era: str) -> None:
    async with connect(era) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} >= CONDITIONAL
        result = await client.call_tool("trigger-elicitation-request", {})
    assert result.is_error
    assert "This one cannot be asked" in said(result)
    async with connect(era, sampling_callback=sampled) as client:
        result = await client.call_tool("trigger-elicitation-request", {})
    assert result.is_error
    assert "supports no more than sampling" in said(result)


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_runs_as_a_task_is_called(connect: Connect, era: str) -> None:
    stages: list[str | None] = []

    async def reported(_: float, __: float | None, message: str | None) -> None:
        stages.append(message)

    async with connect(era) as client:
        result = await client.call_tool(
            "simulate-research-query", {"topic": "python"}, progress_callback=reported
        )
    assert "Research Report: python" in said(result)
    # A stage lasts a second, in which a busy machine may not have asked for it.
    assert len(STAGES.intersection(stages)) > 1, stages


@pytest.mark.parametrize("era", ERAS)
async def test_a_task_asks_the_client(connect: Connect, era: str) -> None:
    async with connect(era, **ANSWERS) as client:
        result = await client.call_tool("simulate-research-query", {"topic": "python", "ambiguous": True})
    assert "Research Report: python (snake)" in said(result)
