"""A worker is killed, and another one on the same host takes over its servers."""

from bench.figures import Figure
from bench.scene import rounds, start_servers, start_worker
from tests.chaos.victims import Victim
from tests.chaos.world import World

SERVERS, ROUNDS = 4, 11


def measure(world: World) -> list[Figure]:
    start_worker(world)
    servers = start_servers(world, SERVERS)
    start_worker(world)
    took = rounds(world, ROUNDS, servers, Victim.kill)
    return [Figure("worker killed, every tool usable, by proof of death", took, goal=1.5)]
