"""Clients that people have list the tools of the endpoint and call one, with a key."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.types import TextContent

from assistants.actions import approvals
from assistants.models import Approval, Rule
from core.actor import Actor
from tests.mcp_endpoint.conformance import Packages
from tests.mcp_endpoint.programs import Programs
from tests.stack import Stack, wait_for

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


def inspected(packages: Packages, desk: Desk, era: str, method: str, *options: str) -> dict[str, Any]:
    """Returns what the Inspector prints of a request."""
    program = packages.installed / "@modelcontextprotocol" / "inspector" / "clients/launcher/build/index.js"
    key = ("--header", f"Authorization: Bearer {desk.key}")
    where = ("--server-url", desk.url, "--transport", "http", "--protocol-era", era, *key)
    form = ("--format", "json", "--quiet", "--stored-auth-only")
    said = packages.call(
        str(packages.program()), str(program), "--cli", *where, *form, "--method", method, *options
    )
    return dict(json.loads(said)["result"])


ERAS_OF_THE_INSPECTOR = ["legacy", "auto", "modern"]


@pytest.mark.parametrize("era", ERAS_OF_THE_INSPECTOR)
def test_the_inspector(packages: Packages, desk: Desk, era: str) -> None:
    call = ("--tool-name", TOOL, "--tool-args-json", '{"say": "hi"}')
    listed = inspected(packages, desk, era, "tools/list")["tools"]
    check(listed, inspected(packages, desk, era, "tools/call", *call))


@pytest.mark.parametrize("era", ERAS_OF_THE_INSPECTOR)
def test_the_inspector_waits_until_somebody_approves_its_call(
    packages: Packages, stack: Stack, desk: Desk, era: str
) -> None:
    asks = stack.rule(f"Counting {era}", "ask", when={"functions": ["clients-desk__count"]})
    approver = stack.key(f"Approves {era}", can_approve=True).api_key
    call = ("--tool-name", "clients-desk__count", "--tool-args-json", f'{{"text": "{era}"}}')
    with ThreadPoolExecutor() as threads:
        printed = threads.submit(inspected, packages, desk, era, "tools/call", *call)
        with stack.database():
            waiting = Approval.objects.waiting().filter(rule_id=asks)
            wait_for(waiting.exists, within_s=60)
            approvals.approve(waiting.get(), by=Actor("key", approver.name, approver.pk))
            Rule.objects.get(pk=asks).delete()
        assert printed.result()["content"] == [{"type": "text", "text": str(len(era))}]


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
