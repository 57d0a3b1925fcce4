"""Real remote servers that flood, in both eras: they are listed now and then, and progress goes on."""

import asyncio
import time
from typing import Any

import pytest

from connector.client import calls
from connector.lifecycle.refreshes import BURST
from connector.wire.results import Progress
from tests.connector.lifecycle.test_floods import SLOW_CHECKS, listings
from tools.models import MCPTool

STORM_S = 8.0
REMOTE = {"sse": ("sse", "/sse"), "streamable_http": ("streamable-http", "/mcp")}


OLDER = [pytest.param(f"{kind}-older", marks=pytest.mark.slow) for kind in REMOTE]


@pytest.fixture(params=[*REMOTE, *OLDER])
async def loud(request: Any, monkeypatch: Any, servers: Any, supervise: Any, start_remote: Any) -> MCPTool:
    kind, _, older = request.param.partition("-")
    if older:

        async def undiscovered(_: Any) -> bool:
            return False

        monkeypatch.setattr("connector.session.client.Session._discover", undiscovered)
    supervise(timings=SLOW_CHECKS)
    transport, path = REMOTE[kind]
    there = start_remote("loud.py", transport, path=path)
    server: MCPTool = await servers.running(connection_type=kind, url=there.url)
    assert ((await servers.instance(server)).protocol_version < "2026") == bool(older)
    return server


async def test_it_is_listed_a_few_times_and_reports_10_times_a_second(loud: MCPTool, caller: Any) -> None:
    await asyncio.sleep(1)  # what its subscription, or its first answer, has asked for is listed
    before, reports, began = await listings(caller, loud), list[Progress](), time.monotonic()
    result = await calls.call(loud.pk, "storm", {"s": STORM_S}, timeout_s=60, on_progress=reports.append)
    listed, took_s = await listings(caller, loud) - before, time.monotonic() - began
    sent = int(result.content[0]["text"])
    assert sent > 200, "the server floods"
    # The first changes at once, then one each 5 s.
    assert 1 <= listed <= BURST + took_s / 5 + 1
    assert 2 <= len(reports) <= (took_s + 1) * 10
    assert reports[-1].progress > reports[0].progress
