"""The publisher writes what is new, and times of health checks without a round of reconciling."""

from dataclasses import replace
from typing import Any

from connector.host import clock
from connector.leases import store as leases
from connector.leases.observation import Slot
from tests.connector.conftest import FAST, wait_for


async def test_a_check_without_news_is_published_and_starts_no_round(
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
    assert supervisor._reconciler.tasks[Slot(server.pk, 0)].observation.checked > rounds[-1] - 0.5

    async def published() -> bool:
        now, row = await servers.instance(server), await servers.row(server)
        return bool(now.checked_at > before.checked_at and row.last_healthy_at > row_before.last_healthy_at)

    await wait_for(published)
