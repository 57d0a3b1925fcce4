"""The server that others are proven with passes the official suite itself, in both eras."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.connector.remote import RemoteServer
from tests.mcp_endpoint.conformance import ACTIVE, SESSIONS, STATELESS, Suite, check_server, wrong
from tests.mcp_endpoint.keyed import keyed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]


@pytest.fixture(params=["directly", "through the proxy that adds a key"])
async def url(request: Any, conformance_server: RemoteServer) -> AsyncIterator[str]:
    if request.param == "directly":
        yield conformance_server.url
        return
    async with keyed(conformance_server.url, "a-key") as url:
        yield url


async def test_what_is_active_at_the_latest_version_with_sessions(url: str, tmp_path: Path) -> None:
    checks = await check_server(ACTIVE, url, tmp_path)
    assert wrong(checks) == []
    assert sum(check.status == "SUCCESS" for check in checks) == 40


@pytest.mark.parametrize("suite", [SESSIONS, STATELESS], ids=lambda suite: suite.requirements)
async def test_all_that_a_revision_requires(suite: Suite, url: str, tmp_path: Path) -> None:
    checks = await check_server(suite, url, tmp_path)
    assert wrong(checks) == []
    assert {check.scenario for check in checks if check.is_scored} == suite.scored("server")
