"""Calls of a server beside one that floods its worker with notifications, over each transport."""

import asyncio
import os
import statistics
import sys
import time
from functools import partial

from django.utils.module_loading import import_string

from bench.figures import Figure
from bench.scene import START_WITHIN_S, calling, start_servers, start_worker
from config.runner.network import accepts, free_port
from config.runner.processes import Program
from connector.client import calls
from core.actor import Actor
from tests.chaos.scene import all_run
from tests.chaos.victims import Victim
from tests.chaos.world import ROOT, World, wait_for
from tools import actions

BY = Actor.system("bench")
STORM_S, PAUSE_S, CALLS = 8.0, 0.01, 200
LOUD = ROOT / "tests" / "servers" / "loud.py"
REMOTE = {"sse": ("sse", "/sse"), "streamable_http": ("streamable-http", "/mcp")}


def measure(world: World) -> list[Figure]:
    urls = {kind: _start_remote(world, kind) for kind in REMOTE}
    start_worker(world)
    stdio, neighbour = start_servers(world, 2)
    loud = {"stdio": stdio, **{kind: _register(kind, url) for kind, url in urls.items()}}
    wait_for(lambda: all_run(list(loud.values())), within_s=START_WITHIN_S, what="every server runs")
    figures = []
    for kind, server in loud.items():
        quiet, beside = calling(partial(_compare, server, neighbour))
        goal = 2 * statistics.median(quiet)
        figures += [
            Figure(f"a neighbour's call without a flood ({kind})", quiet, "ms"),
            Figure(f"a neighbour's call beside a flood ({kind})", beside, "ms", goal=goal),
        ]
    return figures


def _start_remote(world: World, kind: str) -> str:
    """Starts a server on the official SDK that may be connected to; returns its URL."""
    transport, path = REMOTE[kind]
    port = free_port()
    program = Program(kind, [sys.executable, str(LOUD), transport, str(port)], cwd=ROOT)
    remote = Victim(kind, lambda: program, world.folder / f"{kind}.log", is_ready=lambda: accepts(port))
    world.helpers.append(remote)
    remote.start()
    remote.wait_until_ready()
    settings = import_string("django.conf.settings")
    settings.ALLOWED_PRIVATE_HOSTS = [*settings.ALLOWED_PRIVATE_HOSTS, f"127.0.0.1:{port}"]
    os.environ["ALLOWED_PRIVATE_HOSTS"] = ",".join(settings.ALLOWED_PRIVATE_HOSTS)  # for the worker
    return f"http://127.0.0.1:{port}{path}"


def _register(kind: str, url: str) -> int:
    return actions.register(by=BY, name=kind, connection_type=kind, url=url).pk


async def _compare(loud: int, neighbour: int) -> tuple[list[float], list[float]]:
    await _calls(neighbour)
    quiet = await _calls(neighbour)
    storm = asyncio.create_task(calls.call(loud, "storm", {"s": STORM_S}, timeout_s=60))
    await asyncio.sleep(0.5)
    beside = await _calls(neighbour)
    await storm
    return quiet, beside


async def _calls(server_id: int) -> list[float]:
    """Returns the milliseconds of each call."""
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await calls.call(server_id, "echo", {}, timeout_s=10)
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(PAUSE_S)
    return took
