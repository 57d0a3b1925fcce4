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
ASKING = {
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-list-roots",
    "input-required-result-basic-sampling",
    "input-required-result-capability-check",
    "input-required-result-ignore-extra-params",
    "input-required-result-missing-input-response",
    "input-required-result-multi-round",
    "input-required-result-multiple-input-requests",
    "input-required-result-non-tool-request",
    "input-required-result-request-state",
    "input-required-result-result-type",
    "input-required-result-tampered-state",
    "server-stateless",
    "tools-call-elicitation",
    "tools-call-sampling",
}
"""What a server asks back does not reach clients yet."""
LOGGING = {"tools-call-with-logging"}
"""Nor do the messages of its log."""
UNMET = ASKING | LOGGING


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
    scenarios = {check.scenario for check in checks}
    failed = wrong(checks)
    assert {check.scenario for check in failed} == UNMET & scenarios, failed
    assert suite.scored("server") in (None, {check.scenario for check in checks if check.is_scored})
