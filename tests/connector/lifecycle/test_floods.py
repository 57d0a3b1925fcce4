"""A server that floods with notifications is listed anew now and then, and its neighbours' calls go on."""

import asyncio
import statistics
import time
from dataclasses import replace
from typing import Any

from connector.client import calls
from connector.lifecycle.refreshes import BURST
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
    before = await listings(caller, server)
    await caller(server, "storm", s=STORM_S, timeout_s=20)
    # The first changes at once; then one every 5 s.
    assert before + 1 <= await listings(caller, server) <= before + BURST + 1


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
        await wait_for(listed_again, within_s=2)
        listed = await listings(caller, server)
    await caller(server, "grow")
    await asyncio.sleep(1)
    assert await listings(caller, server) == listed
    await wait_for(listed_again, within_s=6)


async def test_at_most_10_reports_of_progress_a_second_reach_the_caller(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running()
    reports: list[Progress] = []
    await calls.call(server.pk, "storm", {"s": 2}, timeout_s=20, on_progress=reports.append)
    assert 10 <= len(reports) <= 40


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
    storm = asyncio.create_task(caller(loud, "storm", s=STORM_S, timeout_s=30))
    loud_s = await median_s()
    await storm
    # The flood itself needs a processor at first, and a busy machine has none to spare.
    assert loud_s < max(2 * quiet_s, 0.02)
