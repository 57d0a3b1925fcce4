"""Rebalancing: a worker that joins gets its share of idle servers."""

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from connector.leases import store
from connector.models import Instance
from connector.supervisor.rebalancer import between_claims_s
from tests.connector.conftest import FAST, wait_for
from tools.models import Status

SHORT_COOLDOWN = replace(FAST, cooldown=1.0)


async def owners() -> Counter[str]:
    return Counter([node async for node in Instance.objects.values_list("worker__node", flat=True)])


async def test_a_worker_that_joins_is_given_idle_servers(servers: Any, supervise: Any) -> None:
    supervise(node="one", timings=SHORT_COOLDOWN)
    registered = [await servers.register(name=f"server {number}") for number in range(6)]
    for server in registered:
        await servers.wait_until(server, Status.RUNNING)
    assert await owners() == {"one": 6}
    await asyncio.sleep(SHORT_COOLDOWN.cooldown)  # until all of them are idle
    supervise(node="two", timings=SHORT_COOLDOWN)

    async def even() -> bool:
        return await owners() == {"one": 3, "two": 3}

    await wait_for(even)
    await asyncio.sleep(2.5)
    assert await owners() == {"one": 3, "two": 3}
    for server in registered:
        await servers.wait_until(server, Status.RUNNING)
    fences = [instance.fence async for instance in Instance.objects.all()]
    assert sorted(fences) == [1, 1, 1, 2, 2, 2]


async def test_a_busy_server_is_not_moved(servers: Any, supervise: Any, caller: Any) -> None:
    supervise(node="one", timings=SHORT_COOLDOWN)
    busy, idle = await servers.running(name="busy"), await servers.running(name="idle")
    call = asyncio.create_task(caller(busy, "sleep", s=4, timeout_s=10))
    supervise(node="two", timings=SHORT_COOLDOWN)

    async def moved() -> bool:
        return (await servers.instance(idle)).worker_id is not None and await owners() == {"one": 1, "two": 1}

    await wait_for(moved)
    assert (await call).content[0]["text"] == "slept"
    assert (await servers.instance(busy)).fence == 1
    assert (await servers.instance(idle)).fence == 2


async def test_only_some_servers_are_moved_at_once(servers: Any, supervise: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("connector.supervisor.rebalancer.MOVES_AT_ONCE", 1)
    supervise(node="one", timings=SHORT_COOLDOWN)
    for number in range(4):
        await servers.register(name=f"server {number}")
    await wait_for(lambda: Instance.objects.filter(phase="ready").acount())
    supervise(node="two", timings=SHORT_COOLDOWN)
    counts = set()

    async def even() -> bool:
        counts.add((await owners())["two"])
        return await owners() == {"one": 2, "two": 2}

    await wait_for(even)
    assert 1 in counts


def test_few_workers_claim_at_any_time_and_many_share_a_rate():
    assert between_claims_s(1) == between_claims_s(10) == 0
    assert between_claims_s(100) == 5


async def test_many_workers_do_not_claim_in_each_round(
    servers: Any, supervise: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("connector.supervisor.reconciler.between_claims_s", lambda workers: 3.0 * workers)
    claims: list[float] = []

    async def claim(*given: Any, **named: Any) -> Any:
        claims.append(time.monotonic())
        return await real(*given, **named)

    real = store.claim
    monkeypatch.setattr(store, "claim", claim)
    supervise(node="one", timings=FAST)
    await wait_for(lambda: claims)
    server = await servers.register(name="later")
    await servers.wait_until(server, Status.RUNNING)
    assert len(claims) == 2
    assert claims[1] - claims[0] >= 3
