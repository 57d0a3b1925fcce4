"""A whole machine is lost: a worker on another one takes over its servers when their leases have expired.

A machine is a namespace of process ids, so that neither worker can see that the other has died.
"""

import shutil
import subprocess

from bench.figures import Figure
from bench.scene import rounds, start_servers, start_worker
from tests.chaos.victims import Victim
from tests.chaos.world import World

SERVERS, ROUNDS = 4, 5
MACHINE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@" & wait', "init"]


def measure(world: World) -> list[Figure]:
    """Raises PermissionError where namespaces are not permitted."""
    if not shutil.which(MACHINE[0]) or subprocess.run([*MACHINE, "true"], check=False).returncode:
        raise PermissionError("namespaces of process ids are not permitted here")
    start_worker(world, MACHINE)
    servers = start_servers(world, SERVERS)
    start_worker(world, MACHINE)
    took = rounds(world, ROUNDS, servers, Victim.kill)
    return [Figure("worker killed, every tool usable, by the lease alone", took, goal=17)]
