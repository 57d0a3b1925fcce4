"""Faults. Each is a generator: it strikes, yields the seconds for which it lasts, and heals."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from django.db import Error
from redis import Redis

from core.actor import Actor
from tests.chaos.sampler import Seen, parent
from tests.chaos.scene import BY, Scene
from tests.chaos.victims import Victim
from tools import actions
from tools.models import MCPTool

Fault = Callable[[Scene], Iterator[float]]
AWAY = {"server_unavailable", "server_restarting", "overloaded", "tool_timeout"}
"""The codes that any call may end with while other faults are under way."""


def kill_worker(scene: Scene) -> Iterator[float]:
    with scene.hitting_a_worker() as worker:
        worker.kill()
        yield scene.some(0.5, 3)


def terminate_worker(scene: Scene) -> Iterator[float]:
    with scene.hitting_a_worker() as worker:
        worker.terminate()
        until = time.monotonic() + 12.0
        while (left := _left_of(scene, worker)) and time.monotonic() < until:
            yield 0.5
        if left:
            scene.failures.append(f"12 s after SIGTERM to {worker.name} there still are {left}")


def freeze_worker(scene: Scene) -> Iterator[float]:
    """Freezes it for a moment, or until others have long claimed its servers."""
    with scene.hitting_a_worker() as worker:
        worker.freeze()
        yield scene.some(1, scene.world.lease_s * 1.6)
        worker.thaw()


def kill_server(scene: Scene) -> Iterator[float]:
    yield from _signal(scene.server_process().pid, signal.SIGKILL)


def freeze_server(scene: Scene) -> Iterator[float]:
    server = scene.server_process()
    yield from _signal(server.pid, signal.SIGSTOP)
    yield scene.some(0.5, 4)
    if server.is_alive:
        yield from _signal(server.pid, signal.SIGCONT)


def kill_shim(scene: Scene) -> Iterator[float]:
    """Kills a server's shim: the whole tree must be gone soon, and the server back."""
    server = scene.server_process()
    yield from _signal(_shim(scene, server), signal.SIGKILL)
    yield 5.0
    if server.is_alive:
        scene.failures.append(f"the shim was killed, but 5 s later there still is {server}")


def kill_redis(scene: Scene) -> Iterator[float]:
    yield from _kill(scene, scene.world.redis, scene.some(1, 8))


def freeze_redis(scene: Scene) -> Iterator[float]:
    yield from _freeze(scene, scene.world.redis, scene.some(1, 8))


def flush_redis(scene: Scene) -> Iterator[float]:
    """Empties Redis, which holds nothing that cannot be restored."""
    with scene.hitting(scene.world.redis), Redis.from_url(os.environ["REDIS_URL"]) as redis:
        redis.flushall()
        yield 1.0


def kill_postgres(scene: Scene) -> Iterator[float]:
    """Kills it for seconds that nobody notices, or until every lease has expired."""
    yield from _kill(scene, scene.world.postgres, scene.some(0.5, scene.world.lease_s * 1.2))


def freeze_postgres(scene: Scene) -> Iterator[float]:
    yield from _freeze(scene, scene.world.postgres, scene.some(0.5, scene.world.lease_s * 1.2))


def crash_in_a_call(scene: Scene) -> Iterator[float]:
    yield from _ask(scene, "crash", {"server_restarting"}, timeout_s=5)


def hung_call(scene: Scene) -> Iterator[float]:
    yield from _ask(scene, "sleep", {"tool_timeout"}, timeout_s=1, s=60)


def giant_answer(scene: Scene) -> Iterator[float]:
    yield from _ask(scene, "big", {"output_too_large"}, timeout_s=10, bytes=20 * 1024 * 1024)


def endless_answer(scene: Scene) -> Iterator[float]:
    yield from _ask(scene, "pour", {"tool_timeout"}, timeout_s=2)


def server_stops_reading(scene: Scene) -> Iterator[float]:
    yield from _ask(scene, "stop_reading", {""}, timeout_s=2)


def changed_intent(scene: Scene) -> Iterator[float]:
    """Starts, stops, restarts and edits a server many times: what is written last counts."""
    for _ in range(10):
        what = scene.random.choice((actions.start, actions.stop, actions.restart, _edit))
        scene.clerk.submit(_act, what, scene.restless)
        yield scene.some(0.05, 0.4)


FAULTS: tuple[Fault, ...] = (
    kill_worker,
    terminate_worker,
    freeze_worker,
    kill_server,
    freeze_server,
    kill_shim,
    kill_redis,
    freeze_redis,
    flush_redis,
    kill_postgres,
    freeze_postgres,
    crash_in_a_call,
    hung_call,
    giant_answer,
    endless_answer,
    server_stops_reading,
    changed_intent,
)


def _kill(scene: Scene, service: Victim, seconds: float) -> Iterator[float]:
    with scene.hitting(service):
        service.kill()
        try:
            yield seconds
        finally:
            service.start()
            service.wait_until_ready()


def _freeze(scene: Scene, service: Victim, seconds: float) -> Iterator[float]:
    with scene.hitting(service):
        service.freeze()
        try:
            yield seconds
        finally:
            service.thaw()


def _signal(pid: int, number: int) -> Iterator[float]:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    yield 0.1


def _left_of(scene: Scene, worker: Victim) -> list[object]:
    """Returns the worker's name, if it is alive, and the processes of its servers."""
    servers = [seen for seen in scene.sampler.servers() if seen.owner_pid == worker.pid]
    return [worker.name, *servers] if worker.is_alive else [*servers]


def _shim(scene: Scene, server: Seen) -> int:
    shim = parent(server.pid)
    assert parent(shim) == server.owner_pid or not server.is_alive, f"no shim above {server}"
    return shim


def _ask(
    scene: Scene, function: str, expected: set[str], *, timeout_s: float, **arguments: int
) -> Iterator[float]:
    answer = scene.prober.ask(scene.abused, function, timeout_s, **arguments)
    yield timeout_s + 5
    if not answer.done():
        scene.failures.append(f"{function} has not ended 5 s after its deadline")
    elif (outcome := answer.result().outcome) not in expected | AWAY:
        scene.failures.append(f"{function} ended with {outcome!r}, not {expected}")


def _act(what: Callable[..., object], server_id: int) -> None:
    """Calls an action; without the database nothing happens."""
    with suppress(Error):
        what(MCPTool.objects.get(pk=server_id), by=BY)


def _edit(server: MCPTool, *, by: Actor) -> None:
    actions.update(server, by=by, start_timeout_s=20 + server.version % 10)
