"""What processes cost: their processor time, and that of all that they started."""

from contextlib import suppress

import psutil

from tests.chaos.world import World


def spent_s(pid: int) -> float:
    """Returns the seconds of processor time of a process and of those that it started."""
    process = psutil.Process(pid)
    return sum(_own_s(each) for each in (process, *process.children(recursive=True)))


def of_world_s(world: World) -> float:
    """Returns the processor time of all processes of an installation, PostgreSQL and Redis included."""
    victims = (world.postgres, world.redis, *world.workers, *world.helpers)
    return sum(spent_s(victim.pid) for victim in victims)


def _own_s(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
