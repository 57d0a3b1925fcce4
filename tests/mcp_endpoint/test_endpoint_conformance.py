"""The endpoint passes the official suite with a server behind it that passes it by itself."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.connector.remote import SERVERS, RemoteServer
from tests.mcp_endpoint.conformance import ACTIVE, SESSIONS, STATELESS, Suite, check_server, wrong
from tests.mcp_endpoint.keyed import keyed
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("packages")]
SUITES = [ACTIVE, SESSIONS, STATELESS]


@pytest.fixture(scope="module")
def manager(stack: Stack) -> str:
    """A key that may manage, and so use every server."""
    return stack.key("Conformance", can_manage=True, can_call_assistant=False).key


@pytest.fixture(scope="module", params=["stdio", "http"])
def slug(request: pytest.FixtureRequest, stack: Stack, conformance_server: RemoteServer) -> str:
    remote = {"connection_type": "streamable_http", "url": conformance_server.url, "command": "", "args": []}
    local = {"command": sys.executable, "args": [str(SERVERS / "conformance.py")]}
    return stack.server(f"Conformance {request.param}", **(remote if request.param == "http" else local)).slug


@pytest.fixture
async def url(stack: Stack, manager: str, slug: str) -> AsyncIterator[str]:
    async with keyed(f"{stack.url}/mcp/s/{slug}", manager) as url:
        yield url


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.requirements or "active")
async def test_the_endpoint_passes_as_the_server_does(suite: Suite, url: str, tmp_path: Path) -> None:
    checks = await check_server(suite, url, tmp_path)
    assert wrong(checks) == []
    if suite is ACTIVE:
        # Lists come as JSON, so that there is no stream of theirs to look at.
        told = {check.name for check in checks if check.status != "SUCCESS"}
        assert (len(checks), told) == (40, {"ServerSSEStreamsFunctional"})
    assert suite.scored("server") in (None, {check.scenario for check in checks if check.is_scored})
