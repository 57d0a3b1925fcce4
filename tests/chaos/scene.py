"""The scene of a chaos run: MCP servers of every kind, and the choice of the next victim."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from django.db import connection

from core.actor import Actor
from tests.chaos.prober import Prober
from tests.chaos.sampler import Sampler, Seen
from tests.chaos.victims import Victim
from tests.chaos.world import ROOT, World
from tools import actions
from tools.models import MCPTool

BY = Actor.system("chaos")
FAKE = str(ROOT / "tests" / "servers" / "fake.py")
STEADY = {
    "plain": [],
    "stubborn": ["stubborn"],
    "daemonising": ["daemon"],
    "all of it": ["daemon", "stubborn", "stray"],
    "slow to start": ["slow-start"],
    "talking garbage": ["garbage"],
    "answering twice": ["twice"],
}
"""Servers that should run all the time, with their switches of fake.py. One more has two replicas."""


class NobodyLeft(Exception):
    """Every possible victim is being hit already."""


@dataclass
class Scene:
    """`restless` is started, stopped and edited all the time; `abused` gets the calls that do harm."""

    world: World
    sampler: Sampler
    prober: Prober
    random: Random
    steady: list[int]
    restless: int
    abused: int
    failures: list[str] = field(default_factory=list)
    clerk: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    """A thread that writes to the database: the main thread must not wait for one that it has to restart."""

    def __post_init__(self) -> None:
        self._hit: set[object] = set()
        self._next_server = cycle(self.random.sample(self.steady, len(self.steady)))

    @property
    def everyone(self) -> list[int]:
        return [*self.steady, self.restless, self.abused]

    def some(self, shortest_s: float, longest_s: float) -> float:
        return self.random.uniform(shortest_s, longest_s)

    def server_process(self) -> Seen:
        """Returns a process of the next server: one that is killed too often would be in a crash loop."""
        for _ in self.steady:
            slots = f"{next(self._next_server)}."
            for seen in self.sampler.servers():
                if seen.slot.startswith(slots) and self._is_first_of_its_tree(seen):
                    return seen
        raise NobodyLeft

    @contextmanager
    def hitting_a_worker(self) -> Iterator[Victim]:
        free = [each for each in self.world.workers if each.is_alive and each not in self._hit]
        if not free:
            raise NobodyLeft
        with self.hitting(self.random.choice(free)) as worker:
            yield worker

    @contextmanager
    def hitting(self, victim: Victim) -> Iterator[Victim]:
        if victim in self._hit:
            raise NobodyLeft
        self._hit.add(victim)
        try:
            yield victim
        finally:
            self._hit.discard(victim)

    def tend(self) -> None:
        """Starts workers again that ended by themselves, as a process manager does."""
        for worker in self.world.workers:
            if not worker.is_alive and worker not in self._hit:
                worker.start()

    def _is_first_of_its_tree(self, seen: Seen) -> bool:
        others = [
            each for each in self.sampler.servers() if (each.owner, each.slot) == (seen.owner, seen.slot)
        ]
        return all(seen.started <= each.started for each in others)


def register(world: World, log: Path | None = None) -> dict[str, list[int]]:
    """Ids by kind: `steady`, `restless`, `abused`. With a `log`, each call leaves its arguments there."""
    steady = [register_one(world, name, switches, log) for name, switches in STEADY.items()]
    steady.append(register_one(world, "two replicas", log=log, replicas=2))
    restless, abused = (register_one(world, name, log=log) for name in ("restless", "abused"))
    return {"steady": steady, "restless": [restless], "abused": [abused]}


def register_one(
    world: World, name: str, switches: Sequence[str] = (), log: Path | None = None, **fields: Any
) -> int:
    """Registers `fake.py` with these switches; returns the server's id."""
    environment = {"CHAOS_RUN": world.run, **({"FAKE_CALLS": str(log)} if log else {})}
    server = actions.register(
        by=BY,
        name=name,
        connection_type="stdio",
        command="python",
        args=[FAKE, *switches],
        env=environment,
        **fields,
    )
    return server.pk


def all_run(ids: list[int]) -> bool:
    return MCPTool.objects.filter(pk__in=ids, status="running").count() == len(ids)


def reconnect() -> None:
    """Closes the pool, whose connections are of no use after an outage."""
    pooled: Any = connection
    pooled.close()
    pooled.close_pool()
