"""A server that floods with notifications is listed anew now and then, and its neighbours' calls go on."""

import asyncio
import statistics
import time
from dataclasses import replace
from typing import Any

from connector.client import calls
from connector.lifecycle.refreshes import BURST, EVERY_S
from connector.wire.results import Progress
from tests.connector.conftest import FAST, wait_for

SLOW_CHECKS = replace(FAST, health=60)
STORM_S = 4.0


async def listings(caller: Any, server: Any) -> int:
    return int((await caller(server, "listings")).content[0]["text"])


async def test_a_server_that_reports_changes_without_end_is_listed_a_few_times(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise(timings=SLOW_CHECKS)
    server = await servers.running()
    before, began = await listings(caller, server), time.monotonic()
    await caller(server, "storm", s=STORM_S, timeout_s=60)
    listed, took_s = await listings(caller, server) - before, time.monotonic() - began
    # The first changes at once; then one every 5 s.
    assert 1 <= listed <= BURST + took_s / EVERY_S + 1


async def test_changes_in_a_row_are_listed_at_once_and_further_ones_within_5_s(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise(timings=SLOW_CHECKS)
    server = await servers.running()
    listed = await listings(caller, server)

    async def listed_again() -> bool:
        return await listings(caller, server) > listed

    for _ in range(BURST):
        await caller(server, "grow")
        await wait_for(listed_again)
        listed = await listings(caller, server)
    await caller(server, "grow")
    await asyncio.sleep(1)
    assert await listings(caller, server) == listed
    await wait_for(listed_again)


async def test_at_most_10_reports_of_progress_a_second_reach_the_caller(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running()
    reports, began = list[Progress](), time.monotonic()
    await calls.call(server.pk, "storm", {"s": 2}, timeout_s=60, on_progress=reports.append)
    assert 2 <= len(reports) <= (time.monotonic() - began + 1) * 10
    assert reports[-1].progress > 2 * len(reports), "most were left out"


async def test_neighbours_of_a_flooding_server_are_called_as_ever(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise(timings=SLOW_CHECKS)
    loud, neighbour = [await servers.running(name=name) for name in ("loud", "neighbour")]

    async def median_s(calls_made: int = 40) -> float:
        took = []
        for _ in range(calls_made):
            began = time.monotonic()
            await caller(neighbour, "echo")
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.02)
        return statistics.median(took)

    quiet_s = await median_s()
    storm = asyncio.create_task(caller(loud, "storm", s=STORM_S, timeout_s=60))
    loud_s = await median_s()
    await storm
    # The flood itself needs a processor at first, and a busy machine has none to spare.
    assert loud_s < max(5 * quiet_s, 0.2)
