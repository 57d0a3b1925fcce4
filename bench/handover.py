"""A planned handover: a worker gets SIGTERM, and another one takes over its servers."""

from bench.figures import Figure
from bench.scene import rounds, start_servers, start_worker
from tests.chaos.victims import Victim
from tests.chaos.world import World

SERVERS, ROUNDS = 4, 7


def measure(world: World) -> list[Figure]:
    start_worker(world)
    servers = start_servers(world, SERVERS)
    start_worker(world)
    took = rounds(world, ROUNDS, servers, Victim.terminate)
    return [Figure("SIGTERM to every tool usable at another worker", took, goal=3.5)]
