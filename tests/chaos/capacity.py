"""Two hundred servers at four workers; one worker is killed and does not come back."""

import statistics
import time
from random import Random

from connector.models import Instance, Worker
from tests.chaos.prober import Prober
from tests.chaos.sampler import Sampler
from tests.chaos.scene import all_run, register_one
from tests.chaos.world import World, wait_for

SERVERS = 200
WORKERS = 4
PAUSE_S = 5.0
FIRST_START_WITHIN_S = 300.0
BACK_WITHIN_S = 90.0


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong."""
    for number in range(WORKERS):
        world.start_worker(f"mcp{number}@chaos")
    wait_for(lambda: Worker.objects.count() == WORKERS, within_s=60, what="every worker is there")
    began = time.monotonic()
    servers = [register_one(world, f"server {number}") for number in range(SERVERS)]
    wait_for(lambda: all_run(servers), within_s=FIRST_START_WITHIN_S, what="every server runs")
    print(f"{SERVERS} servers were registered and ran after {time.monotonic() - began:.1f} s")
    sampler, prober = Sampler(world.run), Prober(servers, pause_s=PAUSE_S)
    sampler.start()
    prober.start()
    try:
        wait_for(lambda: len(prober.probes) >= 2 * SERVERS, within_s=60, what="probes while nothing happens")
        victim = Random(seed).choice(world.workers)
        moving = set(
            Instance.objects.filter(worker__node=victim.name).values_list("server_id", flat=True).distinct()
        )
        killed = time.monotonic()
        victim.kill()
        back_s = wait_for(
            lambda: prober.answered_since(killed) >= set(servers), within_s=BACK_WITHIN_S, what="all are back"
        )
    finally:
        prober.end()
        codes = world.stop_workers()
        left = sampler.everything()
        sampler.kill_everything()
        sampler.end()
    before = [probe.took_s for probe in prober.probes if probe.asked < killed - 1]
    others = [each.took_s for each in prober.probes if each.asked > killed and each.server_id not in moving]
    print(f"{len(moving)} servers of the killed worker usable after {back_s:.1f} s (asked every {PAUSE_S} s)")
    print(f"a call of the others: {_ms(before)} before, {_ms(others)} meanwhile")
    failed = {each.server_id for each in prober.probes if each.outcome and each.server_id not in moving}
    return [
        *(f"two owners of {overlap}" for overlap in sampler.overlaps),
        *(f"orphan: {orphan}" for orphan in sampler.orphans),
        *(f"left behind: {seen}" for seen in left),
        *(f"{name} ended with {code}" for name, code in codes.items() if code and name != victim.name),
        *(f"server {server} of another worker failed a call" for server in failed),
        *prober.faults,
    ]


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms" if seconds else "nothing"
