"""Lease traffic of 10,000 servers on 100 workers: what PostgreSQL does when idle, and when 10 workers vanish.

No server runs: see `bench.leasing.workers`.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from unittest.mock import patch

from django.db import connection

from bench.figures import Figure
from bench.leasing.traffic import Meter, Traffic
from bench.leasing.workers import IdleWorker, without_processes
from config.runner import postgres
from connector.states import Phase
from connector.supervisor import rebalancer
from connector.timings import Timings
from core.database import connect
from tests.chaos.world import World
from tools.models import MCPTool

SERVERS, WORKERS, VANISH = 10_000, 100, 10
OWNED = "SELECT count(*) FROM connector_instance WHERE worker_id = ANY(%s) AND phase = ANY(%s)"
CONNECTIONS = 4 * WORKERS + 50
TIMES_SLOWER = float(os.environ.get("BENCH_TIMES_SLOWER", "1"))
"""All periods are so many times as long, and rates are given as if they were not: for a machine that is
too small to be a hundred workers."""
STEADY_S, WITHIN_S = 60.0, 600.0


def measure(world: World) -> Iterator[Figure]:
    """Yields what workers at rest cost, and how long the servers of ten that vanish are without an owner."""
    _allow_connections(world)
    MCPTool.objects.bulk_create(
        MCPTool(
            name=f"server {number}",
            slug=f"server-{number}",
            connection_type="streamable_http",
            url=f"https://mcp.example/{number}",
            is_enabled=True,
        )
        for number in range(SERVERS)
    )
    meter = Meter(world)
    claims = rebalancer.CLAIMS_A_SECOND / TIMES_SLOWER
    with without_processes(), meter.counting(), patch.object(rebalancer, "CLAIMS_A_SECOND", claims):
        took_s, steady, storm, storm_s, late = asyncio.run(_run(meter))
    print(f"at rest: {steady}\nstorm: {storm}", flush=True)
    number = sum(map(len, steady.statements.values()))
    yield Figure(f"{WORKERS} workers own {SERVERS:,} servers after", [took_s])
    yield Figure("statements at rest", [number / steady.seconds * TIMES_SLOWER], "a second")
    yield Figure("PostgreSQL at rest", [steady.cpu_s / steady.seconds * TIMES_SLOWER], "cores", 1.0)
    yield Figure("WAL at rest", [steady.wal_bytes / steady.seconds * TIMES_SLOWER / 1e6], "MB a second")
    owned_s, ready_s = storm_s
    lease_s = Timings().lease * TIMES_SLOWER
    yield Figure(f"{VANISH} workers vanish, their servers have owners after", [owned_s])
    yield Figure(f"and are started after (leases of {lease_s:g} s)", [ready_s])
    yield Figure("PostgreSQL meanwhile", [storm.cpu_s], "processor seconds")
    yield Figure("workers that lost their right to act for want of a renewal", [late], "")


async def _run(meter: Meter) -> tuple[float, Traffic, Traffic, list[float], int]:
    times = Timings()
    timings = Timings(**{name: getattr(times, name) * TIMES_SLOWER for name in times.__slots__})
    workers = [IdleWorker(number, timings) for number in range(WORKERS)]
    began = time.monotonic()
    await meter.begin()
    for worker in workers:
        worker.start()
    await _all_owned(SERVERS, [worker.owner.name for worker in workers], phases=["ready"])
    took_s = time.monotonic() - began
    print(f"start: {await meter.end()}", flush=True)
    lost: set[str] = set()
    watching = asyncio.create_task(_watch(workers[VANISH:], lost))
    await asyncio.sleep(20 * TIMES_SLOWER)
    await meter.begin()
    await asyncio.sleep(STEADY_S)
    steady = await meter.end()
    leaving, staying = workers[:VANISH], workers[VANISH:]
    await meter.begin()
    vanished = time.monotonic()
    await asyncio.gather(*(worker.vanish() for worker in leaving))
    names = [worker.owner.name for worker in staying]
    await _all_owned(SERVERS, names)
    storm_s = [time.monotonic() - vanished]
    await _all_owned(SERVERS, names, phases=["ready"])
    storm_s.append(time.monotonic() - vanished)
    storm = await meter.end()
    watching.cancel()
    for worker in staying:
        await worker.vanish()
    return took_s, steady, storm, storm_s, len(lost)


async def _watch(workers: Sequence[IdleWorker], lost: set[str]) -> None:
    """Adds the names of workers that may not act as owners, because a renewal came too late."""
    while True:
        lost |= {worker.owner.name for worker in workers if not worker.reconciler.keeper.is_valid}
        await asyncio.sleep(0.5)


async def _all_owned(number: int, owners: Sequence[str], *, phases: Sequence[str] = tuple(Phase)) -> None:
    async with asyncio.timeout(WITHIN_S), await connect() as database:
        while True:
            row = await (await database.execute(OWNED, [list(owners), list(phases)])).fetchone()
            if row and row[0] >= number:
                return
            await asyncio.sleep(0.5)


def _allow_connections(world: World) -> None:
    """Starts PostgreSQL anew with as many connections as so many workers need."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    world.postgres.stop(timeout_s=20)
    with patch.object(postgres, "SETTINGS", (*postgres.SETTINGS, f"max_connections={CONNECTIONS}")):
        world.postgres.start()
    world.postgres.wait_until_ready()
