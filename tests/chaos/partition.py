"""Two workers on hosts of their own, which are cut off from the others, one after the other."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from connector.client import transport
from connector.client.routes import Route
from connector.client.transport import Request
from connector.errors import CallFailed
from connector.models import Instance, Worker
from connector.wire.deadline import Deadline
from tests.chaos.network import Forwarder, Host, address_of, hosts
from tests.chaos.prober import Prober
from tests.chaos.sampler import Sampler
from tests.chaos.scene import all_run, register_one
from tests.chaos.world import World, wait_for

SERVERS = 3
GRACE_S = 2.0
BACK_WITHIN_S = 20.0
WITHOUT_BROKER_S = 5.0


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong; `seconds` and `seed` change nothing here. Raises PermissionError."""
    with hosts(2) as machines, _services() as settings:
        for machine in machines:
            _start_worker(world, machine, settings)
        wait_for(lambda: Worker.objects.count() == len(machines), within_s=60, what="every worker is there")
        servers = [register_one(world, f"server {number}") for number in range(SERVERS)]
        wait_for(lambda: all_run(servers), within_s=60, what="every server runs at first")
        with _observed(world, servers) as scene:
            try:
                for machine in machines:
                    scene.cut_off(machine)
                scene.without_database(machines[0])
                scene.without_broker(machines[1])
            finally:
                for worker in world.workers:
                    worker.kill()
        return scene.failures


class _Partitions:
    def __init__(self, servers: list[int], sampler: Sampler, prober: Prober, *, lease_s: float) -> None:
        self.failures: list[str] = []
        self._servers, self._sampler, self._prober = servers, sampler, prober
        self._lease_s = lease_s

    def cut_off(self, machine: Host) -> None:
        """The shims and the worker there kill in time, and the other machine takes over."""
        self._owns_something(machine)
        machine.lose_everything()
        self._moves_away_from(machine, why="cut off")
        machine.find_everything()

    def without_database(self, machine: Host) -> None:
        """Callers and the broker reach it, and still it refuses calls: it may not be the owner any more."""
        route = self._owns_something(machine)
        machine.lose("database")
        self._moves_away_from(machine, why="without the database")
        if (answer := _answer_of(route)) != "stale_fence":
            self.failures.append(f"the worker without the database answered {answer!r}")
        machine.find("database")

    def without_broker(self, machine: Host) -> None:
        """Nothing happens."""
        self._owns_something(machine)
        before = set(self._sampler.servers())
        machine.lose("broker")
        time.sleep(WITHOUT_BROKER_S)
        if gone := before - set(self._sampler.servers()):
            self.failures.append(f"without the broker these ended: {gone}")
        machine.find("broker")

    def _owns_something(self, machine: Host) -> Route:
        """Waits until the machine owns a server; returns a route to it."""
        found: list[Route] = []

        def find() -> bool:
            held = Instance.objects.filter(server__in=self._servers, phase="ready")
            found[:] = [
                Route(each.server_id, each.slot, each.fence, "", "", each.worker.address)
                for each in held.select_related("worker")
                if each.worker and each.worker.address.startswith(f"{machine.address}:")
            ]
            return bool(found)

        wait_for(find, within_s=BACK_WITHIN_S, what=f"{machine.name} owns something")
        return found[0]

    def _moves_away_from(self, machine: Host, *, why: str) -> None:
        lost = time.monotonic()
        held = list(Instance.objects.filter(worker__address__startswith=f"{machine.address}:"))
        there, moving = {each.worker_id for each in held}, {each.server_id for each in held}
        killed_s = wait_for(
            lambda: not there & {seen.owner for seen in self._sampler.servers()},
            within_s=self._lease_s + GRACE_S,
            what=f"killed when {why}",
        )
        back_s = killed_s + wait_for(
            lambda: self._prober.answered_since(lost + killed_s) >= moving,
            within_s=BACK_WITHIN_S,
            what=f"answered by the other machine when {why}",
        )
        print(f"{why}: {len(moving)} servers killed after {killed_s:.1f} s, usable after {back_s:.1f} s")


def _answer_of(route: Route) -> str:
    """Returns the error of a call under the fence that the worker had; empty if it accepts the call."""

    async def ask() -> str:
        params = {"name": "pid", "arguments": {}}
        body = {"method": "tools/call", "params": params, "progress": False}
        request = Request(route.server_id, body, "pid", timeout_s=3)
        deadline = Deadline(3)
        async with transport.lifespan():
            try:
                await transport.send(request, route, deadline)
            except CallFailed as failure:
                return f"{failure.code}" if "reached" not in failure.message else failure.message
        return ""

    return asyncio.run(ask())


@contextmanager
def _observed(world: World, servers: list[int]) -> Iterator[_Partitions]:
    sampler, prober = Sampler(world.run, knows_owners=False), Prober(servers)
    scene = _Partitions(servers, sampler, prober, lease_s=world.lease_s)
    sampler.start()
    prober.start()
    try:
        yield scene
    finally:
        prober.end()
        sampler.end()
        sampler.kill_everything()
    scene.failures += [f"two owners of {overlap}" for overlap in sampler.overlaps] + prober.faults
    print(f"{sampler.samples} samples, {len(prober.probes)} probes")


@contextmanager
def _services() -> Iterator[Mapping[str, str]]:
    """Yields settings with which the machines reach the database and the broker, through forwarders."""
    broker = urlsplit(os.environ["REDIS_URL"])
    socket = f"{os.environ['DATABASE_URL'].partition('host=')[2]}/.s.PGSQL.5432"
    with ExitStack() as open_ones:
        to_database, to_broker = Forwarder("database", socket), Forwarder("broker", broker.port or 6379)
        for forwarder in (to_database, to_broker):
            forwarder.start()
            open_ones.callback(forwarder.close)
        yield {
            "DATABASE_URL": f"postgresql://postgres@{address_of('database')}:{to_database.port}/postgres",
            "REDIS_URL": f"redis://:{broker.password}@{address_of('broker')}:{to_broker.port}/0",
        }


def _start_worker(world: World, machine: Host, settings: Mapping[str, str]) -> None:
    """Starts a worker with a folder for its sockets that the other machine does not see."""
    temporary = world.folder / machine.name
    temporary.mkdir()
    own = {**settings, "CONNECTOR_HOST_BIND": f"{machine.address}:0", "TMPDIR": str(temporary)}
    world.start_worker(f"mcp@{machine.name}", machine.command, **own)
