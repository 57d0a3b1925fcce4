"""The product's own sessions as the conformance suite sees them, beside the SDK's client."""

from pathlib import Path

import pytest

from tests.mcp_endpoint.clients.ours import ours
from tests.mcp_endpoint.clients.scenarios import Client, command
from tests.mcp_endpoint.clients.sdk import sdk
from tests.mcp_endpoint.conformance import SESSIONS, STATELESS, Suite, check_client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("packages", "any_address")]
SUITES = pytest.mark.parametrize("suite", [SESSIONS, STATELESS], ids=lambda suite: suite.requirements)
UNMET = {
    # The client's metadata would have to be at a public URL: it registers instead, which earns a warning.
    "auth/basic-cimd",
}


@pytest.fixture
def any_address(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the suite's servers be reached, which listen on this machine, at ports of their own choice."""
    monkeypatch.setattr("tools.outbound.egress.is_public", lambda _: True)


async def failed(client: Client, suite: Suite, folder: Path) -> set[str]:
    """The scenarios that count and of which a check went wrong."""
    async with command(client) as started:
        checks = await check_client(suite, started, folder)
    scored = [check for check in checks if check.is_scored]
    assert {check.scenario for check in scored} == suite.scored("client")
    return {check.scenario for check in scored if check.is_wrong}


@SUITES
async def test_the_sdks_client_passes_all_that_counts(suite: Suite, tmp_path: Path) -> None:
    assert await failed(sdk, suite, tmp_path) == set()


@SUITES
async def test_our_sessions_pass_what_the_sdks_client_passes(suite: Suite, tmp_path: Path) -> None:
    assert await failed(ours, suite, tmp_path) == UNMET & (suite.scored("client") or set())
