"""A planned handover: the owner gets SIGTERM under load, a second worker is ready, and no call is lost."""

import asyncio
from collections import Counter
from typing import Any

from connector.errors import CallFailed
from connector.models import Instance
from tests.connector.conftest import orm, server_processes, wait_for, wait_for_workers
from tests.connector.processes import exit_code
from tools.models import MCPTool, Status

CALLS_A_SECOND = 20


async def load(caller: Any, server: MCPTool, outcomes: Counter[str], ended: asyncio.Event) -> None:
    """Calls a tool CALLS_A_SECOND times a second until `ended` is set, and counts how the calls end."""

    async def call(number: int) -> None:
        # Every tenth call is under way for a while, so that the drain has something to wait for.
        work = ("sleep", {"s": 0.8}) if number % 10 == 0 else ("echo", {"word": str(number)})
        try:
            await caller(server, work[0], timeout_s=20, **work[1])
        except CallFailed as failure:
            outcomes[f"{failure.code}: {failure.message}"] += 1
        else:
            outcomes["ok"] += 1

    async with asyncio.TaskGroup() as group:
        number = 0
        while not ended.is_set():
            group.create_task(call(number))
            number += 1
            await asyncio.sleep(1 / CALLS_A_SECOND)


async def owner_of(server: MCPTool) -> str | None:
    def node() -> str | None:
        instance = Instance.objects.select_related("worker").filter(server=server).first()
        return instance.worker.node if instance and instance.worker and instance.pid else None

    return await orm(node)()


async def test_a_planned_handover_under_load_fails_no_call(
    servers: Any, celery_worker: Any, caller: Any
) -> None:
    drain = {"SUPERVISOR_DRAIN_S": "8"}
    first = celery_worker(node="mcp@first", **drain)
    registered = [await servers.register(name=name) for name in ("one", "two")]
    for server in registered:
        await servers.wait_until(server, Status.RUNNING, within_s=30)
    celery_worker(node="mcp@second", **drain)
    await wait_for_workers(2)
    outcomes: Counter[str] = Counter()
    ended = asyncio.Event()
    running = [asyncio.create_task(load(caller, server, outcomes, ended)) for server in registered]
    await asyncio.sleep(1)
    first.terminate()

    async def moved() -> bool:
        owners = {(process.server, process.owner) for process in server_processes()}
        assert len(owners) == len({server for server, _ in owners}), "two trees of one slot"
        return {await owner_of(server) for server in registered} == {"mcp@second"}

    await wait_for(moved)
    await asyncio.sleep(1)
    ended.set()
    await asyncio.gather(*running)
    assert await exit_code(first, within_s=30) == 0
    assert set(outcomes) == {"ok"}
    assert outcomes["ok"] > CALLS_A_SECOND * 4
