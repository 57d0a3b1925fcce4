"""Two workers and a web process on hosts of their own, cut off from each other and from services."""

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
from tests.chaos.load import Customer, open_shop
from tests.chaos.network import Host, address_of, hosts
from tests.chaos.prober import Prober
from tests.chaos.proxy import Proxy
from tests.chaos.sampler import Sampler
from tests.chaos.scene import all_run, register_one
from tests.chaos.web_partition import WebPartitions
from tests.chaos.world import World, wait_for

SERVERS = 3
CALL_TIMEOUT_S = 4.0
GRACE_S = 2.0
BACK_WITHIN_S = 20.0
WITHOUT_BROKER_S = 3.0


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong; `seconds` and `seed` change nothing here. Raises PermissionError."""
    calls = world.folder / "calls"
    with hosts(3) as (*machines, apart), _services(world) as settings:
        try:
            for machine in machines:
                _start_worker(world, machine, settings)
            url = _start_web(world, apart, settings)
            wait_for(
                lambda: Worker.objects.count() == len(machines), within_s=90, what="every worker is there"
            )
            servers = [
                register_one(world, f"server {number}", log=calls, call_timeout_s=CALL_TIMEOUT_S)
                for number in range(SERVERS)
            ]
            customer = Customer(url, open_shop(servers))
            tools = [f"server-{number}__echo" for number in range(SERVERS)]
            wait_for(lambda: all_run(servers), within_s=90, what="every server runs at first")
            with _observed(world, servers) as scene:
                for machine in machines:
                    scene.cut_off(machine)
                scene.without_database(machines[0])
                scene.unanswered(machines[1])
                scene.without_broker(machines[0])
                scene.failures += WebPartitions(apart, machines, customer, tools, calls).run()
            return scene.failures
        finally:
            for process in (*world.workers, *world.helpers):
                process.kill()


class _Partitions:
    def __init__(self, servers: list[int], sampler: Sampler, prober: Prober, *, lease_s: float) -> None:
        self.failures: list[str] = []
        self._servers, self._sampler, self._prober = servers, sampler, prober
        self._lease_s = lease_s

    def cut_off(self, machine: Host) -> None:
        """The shims and the worker there kill in time, and the other machine takes over."""
        self._owns_something(machine)
        with machine.cut_off():
            self._moves_away_from(machine, why="cut off", within_s=self._lease_s)

    def without_database(self, machine: Host) -> None:
        """Callers and the broker reach it, and still it refuses calls: it may not be the owner any more."""
        route = self._owns_something(machine)
        with machine.without("database"):
            self._moves_away_from(machine, why="without the database", within_s=self._lease_s)
            if (answer := _answer_of(route)) != "stale_fence":
                self.failures.append(f"the worker without the database answered {answer!r}")

    def unanswered(self, machine: Host) -> None:
        """What it asks arrives, and no answer comes back: a renewal may count that it knows nothing of."""
        self._owns_something(machine)
        with machine.unanswered():
            self._moves_away_from(machine, why="without an answer", within_s=self._lease_s)

    def without_broker(self, machine: Host) -> None:
        """Nothing happens."""
        self._owns_something(machine)
        before = set(self._sampler.servers())
        with machine.without("broker"):
            time.sleep(WITHOUT_BROKER_S)
            if gone := before - set(self._sampler.servers()):
                self.failures.append(f"without the broker these ended: {gone}")

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

    def _moves_away_from(self, machine: Host, *, why: str, within_s: float) -> None:
        lost = time.monotonic()
        held = list(Instance.objects.filter(worker__address__startswith=f"{machine.address}:"))
        there, moving = {each.worker_id for each in held}, {each.server_id for each in held}
        killed_s = wait_for(
            lambda: not there & {seen.owner for seen in self._sampler.servers()},
            within_s=within_s + GRACE_S,
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
def _services(world: World) -> Iterator[Mapping[str, str]]:
    """Yields settings with which the machines reach the services."""
    broker = urlsplit(os.environ["REDIS_URL"])
    socket = f"{os.environ['DATABASE_URL'].partition('host=')[2]}/.s.PGSQL.5432"
    with ExitStack() as open_ones:
        to_database = Proxy("database", socket, address=address_of("database"))
        to_broker = Proxy("broker", broker.port or 6379, address=address_of("broker"))
        for proxy in (to_database, to_broker):
            proxy.start()
            open_ones.callback(proxy.close)
        yield {
            "DATABASE_URL": f"postgresql://postgres@{address_of('database')}:{to_database.port}/postgres",
            "REDIS_URL": f"redis://:{broker.password}@{address_of('broker')}:{to_broker.port}/0",
            **world.start_llm(address_of("llm")),
        }


def _start_worker(world: World, machine: Host, settings: Mapping[str, str]) -> None:
    own = {**_own(world, machine, settings), "CONNECTOR_HOST_BIND": f"{machine.address}:0"}
    world.start_worker(f"mcp@{machine.name}", machine.command, **own)


def _start_web(world: World, machine: Host, settings: Mapping[str, str]) -> str:
    return world.start_web("web", machine.command, at=machine.aside, **_own(world, machine, settings))


def _own(world: World, machine: Host, settings: Mapping[str, str]) -> dict[str, str]:
    """Returns the settings with a folder for sockets and metrics that the other machines do not see."""
    temporary = world.folder / machine.name
    temporary.mkdir()
    return {**settings, "TMPDIR": str(temporary), "METRICS_DIR": str(temporary / "metrics")}
