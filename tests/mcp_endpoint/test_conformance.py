"""The server that others are proven with passes the official suite itself, in both eras."""

from pathlib import Path

import pytest

from tests.connector.remote import RemoteServer
from tests.mcp_endpoint.conformance import ACTIVE, SESSIONS, STATELESS, Check, Suite, check_server
from tests.mcp_endpoint.keyed import keyed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]
EXTENSION = "tasks-"
"""Scenarios of an extension, which is not offered."""


def wrong(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.is_wrong and not check.scenario.startswith(EXTENSION)]


async def test_at_the_latest_version_with_sessions(conformance_server: RemoteServer, tmp_path: Path) -> None:
    checks = await check_server(ACTIVE, conformance_server.url, tmp_path)
    assert wrong(checks) == []
    assert sum(check.status == "SUCCESS" for check in checks) == 40


@pytest.mark.parametrize("suite", [SESSIONS, STATELESS], ids=lambda suite: suite.requirements)
async def test_all_that_a_revision_requires(
    suite: Suite, conformance_server: RemoteServer, tmp_path: Path
) -> None:
    checks = await check_server(suite, conformance_server.url, tmp_path)
    assert wrong(checks) == []
    assert {check.scenario for check in checks if check.is_scored} == suite.scored("server")


@pytest.mark.parametrize("suite", [ACTIVE, STATELESS], ids=lambda suite: suite.package)
async def test_through_a_proxy_that_adds_a_key(
    suite: Suite, conformance_server: RemoteServer, tmp_path: Path
) -> None:
    async with keyed(conformance_server.url, "a-key") as url:
        assert wrong(await check_server(suite, url, tmp_path)) == []
