"""A storm: random faults for some time, two at once, and then calm, in which everything must recover."""

import heapq
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, pairwise
from random import Random

from connector.models import Instance, Worker
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.prober import Prober
from tests.chaos.sampler import Sampler
from tests.chaos.scene import NobodyLeft, Scene, all_run, reconnect, register
from tests.chaos.world import World, wait_for
from tools.models import MCPTool

WORKERS, BEATS = 3, 2
FAULTS_AT_ONCE = 2
PAUSES_S = 0.3, 2.0
CALM_WITHIN_S = 30.0
OTHERS_CALM_WITHIN_S = 90.0
"""Health checks find a server that reads nothing; a task of beat finds one without an owner."""
GONE_WITHIN_S = 5.0
ANSWERED_AT_LEAST = 0.8
"""The share of the probes of the steady servers, including the times when PostgreSQL was away."""


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong. Every fault is injected at least once, however short the time."""
    log = world.folder / "calls"
    ids = register(world, log)
    for number in range(WORKERS):
        world.start_worker(f"mcp{number}@chaos")
    world.start_beats(BEATS)
    everyone = [server for group in ids.values() for server in group]
    wait_for(lambda: all_run(everyone), within_s=60, what="every server runs at first")
    scene = Scene(
        world,
        Sampler(world.run),
        Prober(everyone),
        Random(seed),
        ids["steady"],
        *ids["restless"],
        *ids["abused"],
    )
    scene.sampler.start()
    scene.prober.start()
    began = time.monotonic()
    try:
        thrown = Storm(scene).blow(seconds)
        _calm_down(scene)
    finally:
        scene.prober.end()
    share = _answered(scene, since=began)
    failures = [*_leave(scene), *scene.failures, *scene.prober.faults, *_repeated(log)]
    print(f"thrown: {', '.join(f'{name} {number}' for name, number in sorted(thrown.items()))}")
    print(f"{scene.sampler.samples} samples, {len(scene.prober.probes)} probes, {share:.1%} answered")
    print(f"longest gap: {_longest_gap(scene, since=began):.1f} s")
    if share < ANSWERED_AT_LEAST:
        failures.append(f"only {share:.1%} of the probes were answered")
    return failures


class Storm:
    """Repeats its choices for the same seed, as far as the victims' timing allows."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._deck: list[Fault] = []
        self._waiting: list[tuple[float, int, Iterator[float]]] = []
        self._numbers = count()
        self._thrown: Counter[str] = Counter()

    def blow(self, seconds: float) -> Counter[str]:
        """Injects faults; returns how often each, once all of them have healed."""
        until = next_at = time.monotonic()
        until += seconds
        while time.monotonic() < until or len(self._thrown) < len(FAULTS) or self._waiting:
            now = time.monotonic()
            dealing = now < until or len(self._thrown) < len(FAULTS)
            if dealing and now >= next_at and len(self._waiting) < FAULTS_AT_ONCE:
                self._throw()
                next_at = now + self._scene.some(*PAUSES_S)
            while self._waiting and self._waiting[0][0] <= now:
                self._go_on(heapq.heappop(self._waiting)[2])
            self._scene.tend()
            time.sleep(0.02)
        return self._thrown

    def _throw(self) -> None:
        if not self._deck:
            self._deck = self._scene.random.sample(FAULTS, len(FAULTS))
        fault = self._deck.pop()
        if self._go_on(fault(self._scene)):
            self._thrown[fault.__name__] += 1
        else:
            self._deck.insert(0, fault)

    def _go_on(self, fault: Iterator[float]) -> bool:
        """Runs a fault to its next pause. Returns whether it had a victim."""
        try:
            heapq.heappush(self._waiting, (time.monotonic() + next(fault), next(self._numbers), fault))
        except StopIteration:
            pass
        except NobodyLeft:
            return False
        return True


def _calm_down(scene: Scene) -> None:
    """Waits until every server is as it was written last: usable under one owner, or stopped."""
    healed = time.monotonic()
    scene.clerk.shutdown()
    reconnect()
    for servers, within_s in (
        (scene.steady, CALM_WITHIN_S),
        ([scene.restless, scene.abused], OTHERS_CALM_WITHIN_S),
    ):
        try:
            took = wait_for(lambda: _is_calm(scene, servers, healed), within_s=within_s, what="calm")  # noqa: B023
            print(f"calm {took:.1f} s after the storm: {len(servers)} servers")
        except TimeoutError:
            answered = scene.prober.answered_since(healed)
            scene.failures += [_story(server) for server in servers if server not in answered]
            scene.failures.append(f"no calm within {within_s:g} s")
    try:
        wait_for(lambda: _all_work(scene), within_s=CALM_WITHIN_S, what="every worker works")
    except TimeoutError as error:
        scene.failures.append(str(error))


def _all_work(scene: Scene) -> bool:
    """The last fault may have killed a worker; one that Python is still starting cannot end cleanly."""
    scene.tend()
    names = Worker.objects.values_list("name", flat=True)
    begun = {int(name.partition("-")[0]) for name in names}
    return all(worker.pid in begun for worker in scene.world.workers)


def _is_calm(scene: Scene, servers: list[int], healed: float) -> bool:
    scene.tend()
    owners, answered = scene.sampler.owners(), scene.prober.answered_since(healed)
    return all(_is_as_wanted(server, owners, answered) for server in MCPTool.objects.filter(pk__in=servers))


def _is_as_wanted(server: MCPTool, owners: dict[str, set[str]], answered: set[int]) -> bool:
    running = {slot: names for slot, names in owners.items() if slot.startswith(f"{server.pk}.")}
    if not server.is_enabled:
        return not running and server.status == "stopped"
    instances = Instance.objects.filter(server=server, worker__isnull=False)
    wanted = {f"{server.pk}.{each.slot}": {each.worker_id} for each in instances}
    up_to_date = all(each.observed_generation == server.generation for each in instances)
    return up_to_date and running == wanted and len(wanted) == server.replicas and server.pk in answered


def _story(server_id: int) -> str:
    server = MCPTool.objects.get(pk=server_id)
    held = Instance.objects.filter(server=server).values("worker", "phase", "restarts", "observed_generation")
    return f"{server.slug}: {server.status} {server.error}, generation {server.generation}, {list(held)}"


def _answered(scene: Scene, *, since: float) -> float:
    probes = [each for each in scene.prober.probes if each.server_id in scene.steady and each.asked >= since]
    return sum(not probe.outcome for probe in probes) / max(1, len(probes))


def _longest_gap(scene: Scene, *, since: float) -> float:
    """Returns the longest time for which a steady server was unusable, in seconds."""
    longest = 0.0
    for server in scene.steady:
        good = [each.asked for each in scene.prober.probes if each.server_id == server and not each.outcome]
        moments = [since, *good]
        longest = max(longest, *(later - earlier for earlier, later in pairwise(moments)))
    return longest


def _leave(scene: Scene) -> list[str]:
    """Ends the workers; returns what did not end with them."""
    codes = scene.world.stop_workers()
    failures = [f"{name} ended with {code}" for name, code in codes.items() if code != 0]
    try:
        wait_for(lambda: not scene.sampler.everything(), within_s=GONE_WITHIN_S, what="nothing left")
    except TimeoutError:
        failures += [f"left behind: {seen}" for seen in scene.sampler.everything()]
        scene.sampler.kill_everything()
    scene.sampler.end()
    failures += [f"two owners of {overlap}" for overlap in scene.sampler.overlaps]
    return failures + [f"orphan: {orphan}" for orphan in scene.sampler.orphans]


def _repeated(log: object) -> list[str]:
    """Nothing says that `echo` may be repeated: no server has seen a token twice."""
    tokens = Counter(line for line in open(str(log)).read().splitlines() if "token" in line)  # noqa: PTH123, SIM115
    return [f"called {number} times: {token}" for token, number in tokens.items() if number > 1]
