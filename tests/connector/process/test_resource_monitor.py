"""The resource monitor kills what is over a limit, whatever else its worker waits for."""

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from connector.client import connection_tests, workers
from connector.process.resource_monitor import ResourceLimits
from connector.process.usage import Usage, exact_usage, usages
from tests.connector.conftest import wait_for
from tests.connector.lifecycle.test_limits import GREEDY, last_exit, limited  # noqa: F401 - a fixture
from tools.launch import launch_spec
from tools.models import MCPTool

BREED = """
import subprocess, time
children = [subprocess.Popen(["sleep", "60"]) for _ in range(30)]
time.sleep(60)
"""
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE)
child.wait()
"""


@pytest.mark.parametrize(
    ("limits", "near", "excess"),
    [
        (ResourceLimits(100, 10), False, None),
        (ResourceLimits(99, 10), True, None),
        (ResourceLimits(100, 9), True, None),
        (ResourceLimits(49, 10), True, ("memory", 50)),
        (ResourceLimits(49, 4), True, ("processes", 5)),
        (ResourceLimits(0, 0), False, None),
    ],
)
def test_half_of_a_limit_is_near_and_a_limit_of_0_is_none(
    limits: ResourceLimits, near: bool, excess: tuple[str, int] | None
) -> None:
    usage = Usage(processes=5, memory_mib=50)
    assert (limits.is_near(usage), limits.exceeded_by(usage)) == (near, excess)


def test_one_scan_measures_every_tree() -> None:
    trees = [subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for each in trees:
            assert each.stdout is not None
            each.stdout.readline()
        roots = [each.pid for each in trees]
        until = time.monotonic() + 5
        while (used := usages(roots)) != (exact := {root: _exact(root) for root in roots}):
            assert time.monotonic() < until, (used, exact)
        assert {usage.processes for usage in used.values()} == {1}
    finally:
        for each in trees:
            each.kill()
            each.communicate()


def _exact(root: int) -> Usage:
    """Resident memory: it is far below this limit."""
    return exact_usage(root, memory_limit_mib=10**6)


@pytest.mark.usefixtures("limited")
async def test_limits_are_enforced_while_every_thread_of_the_loop_waits(
    servers: Any, supervise: Any, caller: Any
) -> None:
    """As it is while a database hangs: queries of the ORM wait in those threads."""
    supervisor = supervise()
    server = await servers.running(args=GREEDY)
    released = threading.Event()

    def occupy_every_thread() -> None:
        for _ in range(64):
            supervisor._loop.run_in_executor(None, released.wait, 60)

    supervisor._loop.call_soon_threadsafe(occupy_every_thread)
    try:
        more = asyncio.create_task(caller(server, "breed", count=30))

        async def ended() -> bool:
            return await last_exit(servers, server) == "too_many_processes"

        await wait_for(ended, within_s=30)
        await asyncio.gather(more, return_exceptions=True)
    finally:
        released.set()


@pytest.mark.usefixtures("limited", "servers")
async def test_limits_are_enforced_in_a_connection_test(supervise: Any) -> None:
    supervise()
    await wait_for(workers.alive)
    spec = launch_spec(MCPTool(connection_type="stdio", command="python", args=["-c", BREED]))
    tested = await connection_tests.run(spec)
    assert tested.error is not None
    assert tested.error["class"] == "too_many_processes"
