"""Clients that people have list the tools of the endpoint and call one, with a key."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.types import TextContent

from tests.mcp_endpoint.conformance import Packages
from tests.mcp_endpoint.programs import Programs
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # the first run installs
TOOL = "clients-desk__echo"


@dataclass(frozen=True)
class Desk:
    url: str
    key: str


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Desk:
    key = stack.key("Clients of MCP")
    stack.assistant("clients-desk", stack.server("Clients desk"), keys=(key,))
    return Desk(f"{stack.url}/mcp", key.key)


def check(tools: Sequence[dict[str, Any]], result: dict[str, Any]) -> None:
    assert TOOL in {tool["name"] for tool in tools}
    assert result["content"] == [{"type": "text", "text": '{"say": "hi"}'}]


def test_the_sdk_for_python_in_version_1(desk: Desk) -> None:
    said = json.loads(Programs({}).call(Programs.program, "client.py", desk.url, desk.key, TOOL))
    check(**said)


@pytest.mark.parametrize(("release", "mode"), [("v1", "legacy"), ("v2", "legacy"), ("v2", "auto")])
def test_the_sdk_for_typescript(packages: Packages, desk: Desk, release: str, mode: str) -> None:
    node = str(packages.program())
    check(**json.loads(packages.call(node, "client.mjs", release, mode, desk.url, desk.key, TOOL)))


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
def test_the_inspector(packages: Packages, desk: Desk, era: str, tmp_path: Path) -> None:
    def inspect(method: str, *options: str) -> dict[str, Any]:
        program = (
            packages.installed / "@modelcontextprotocol" / "inspector" / "clients/launcher/build/index.js"
        )
        key = ("--header", f"Authorization: Bearer {desk.key}")
        where = ("--server-url", desk.url, "--transport", "http", "--protocol-era", era, *key)
        form = ("--format", "json", "--quiet", "--stored-auth-only")
        said = packages.call(
            str(packages.program()), str(program), "--cli", *where, *form, "--method", method, *options
        )
        return dict(json.loads(said)["result"])

    call = ("--tool-name", TOOL, "--tool-args-json", '{"say": "hi"}')
    check(inspect("tools/list")["tools"], inspect("tools/call", *call))


@pytest.mark.parametrize("protocol", ["legacy", "auto"])
async def test_mcp_remote(packages: Packages, desk: Desk, protocol: str, tmp_path: Path) -> None:
    program = packages.installed / "mcp-remote" / "dist" / "proxy.js"
    key = ("--header", f"Authorization: Bearer {desk.key}")
    options = ("--transport", "http-only", "--allow-http", "--protocol", protocol)
    bridge = StdioServerParameters(
        command=str(packages.program()),
        args=[str(program), desk.url, *options, *key],
        env={**os.environ, "HOME": str(tmp_path), "MCP_REMOTE_CONFIG_DIR": str(tmp_path)},
    )
    async with Client(bridge, mode="legacy") as client:  # in either era it is the bridge that speaks to us
        assert TOOL in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool(TOOL, {"say": "hi"})
    assert result.content == [TextContent(text='{"say": "hi"}')]
