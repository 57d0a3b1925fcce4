"""The server that endpoints are proven with speaks both eras on standard input and output, too."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from mcp import StdioServerParameters, types
from mcp.client.client import Client

from tests.connector.remote import SERVERS

pytestmark = pytest.mark.parametrize("mode", ["legacy", "auto"])
PROGRAM = StdioServerParameters(command=sys.executable, args=[str(SERVERS / "conformance.py")])


async def answer(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Alice", "color": "blue"})


async def test_it_offers_all_that_the_scenarios_name(mode: str) -> None:
    async with Client(PROGRAM, mode=mode) as client:
        assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"test_simple_text", "json_schema_2020_12_tool", "test_x_mcp_header"} <= names
        assert len((await client.list_resources()).resources) == 3
        assert len((await client.list_resource_templates()).resource_templates) == 1
        assert len((await client.list_prompts()).prompts) == 5


async def test_it_asks_in_several_rounds(mode: str) -> None:
    async with Client(PROGRAM, mode=mode, elicitation_callback=answer) as client:
        result = await client.call_tool("test_input_required_result_multi_round", {})
        assert said(result.content) == "The color of Alice: blue"


async def test_it_reports_that_it_offers_one_more_tool(mode: str) -> None:
    async with Client(PROGRAM, mode=mode) as client:
        before = len((await client.list_tools()).tools)
        await client.call_tool("test_trigger_tool_change", {})
        assert len((await client.list_tools(cache_mode="bypass")).tools) == before + 1


def said(content: Sequence[types.ContentBlock]) -> str:
    [block] = content
    assert isinstance(block, types.TextContent)
    return block.text
