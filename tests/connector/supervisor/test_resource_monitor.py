"""The worker looks at what its servers use, so that their guards need not."""

from dataclasses import replace
from typing import Any

import pytest

from connector.host import clock
from connector.leases import store as leases
from connector.leases.observation import Slot
from tests.connector.conftest import FAST, SERVERS, wait_for
from tests.connector.lifecycle.test_limits import last_exit

GREEDY = [str(SERVERS / "greedy.py")]


@pytest.fixture
def limited(settings: Any) -> None:
    settings.MCP_MEMORY_LIMIT, settings.MCP_PROCESS_LIMIT = 150, 20


async def watched(supervisor: Any, server: Any) -> None:
    """Until the guard has been told that it need not look."""
    task = supervisor._reconciler.tasks[Slot(server.pk, 0)]
    await wait_for(lambda: task.process.watched_until > clock())
    task.beat()


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("grow", "reason"),
    [(("breed", {"count": 30}), "too_many_processes"), (("eat", {"mib": 200}), "out_of_memory")],
)
async def test_what_grows_under_the_workers_eyes_is_killed(
    servers: Any, supervise: Any, caller: Any, grow: tuple[str, dict[str, int]], reason: str
) -> None:
    supervisor = supervise(timings=replace(FAST, lease=60, heartbeat=20))
    server = await servers.running(args=GREEDY)
    await watched(supervisor, server)
    await caller(server, grow[0], **grow[1])

    async def ended() -> bool:
        return await last_exit(servers, server) == reason

    await wait_for(ended, within_s=4)


async def test_a_check_that_finds_nothing_new_is_published_and_wakes_nobody(
    servers: Any, supervise: Any, monkeypatch: Any
) -> None:
    supervisor = supervise(timings=replace(FAST, poll=1, health=0.1))
    server = await servers.running()
    before, row_before = await servers.instance(server), await servers.row(server)
    rounds = []
    real = leases.owned

    async def counting(*arguments: Any) -> Any:
        rounds.append(clock())
        return await real(*arguments)

    monkeypatch.setattr(leases, "owned", counting)
    await wait_for(lambda: len(rounds) >= 4)
    assert rounds[-1] - rounds[1] > 1.8
    assert supervisor._reconciler.tasks[Slot(server.pk, 0)].seen.checked > rounds[-1] - 0.5

    async def published() -> bool:
        now, row = await servers.instance(server), await servers.row(server)
        return bool(now.checked_at > before.checked_at and row.last_healthy_at > row_before.last_healthy_at)

    await wait_for(published)
