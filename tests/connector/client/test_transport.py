"""Connections of a calling process to the workers."""

import asyncio
from typing import Any

from connector.client import transport
from tests.connector.conftest import wait_for
from tools.models import Status


async def test_the_connections_to_a_worker_that_has_ended_are_closed(
    servers: Any, supervise: Any, caller: Any
) -> None:
    first = supervise()
    server = await servers.running()
    await caller(server, "echo")
    [to_first] = transport._sessions[asyncio.get_running_loop()].values()
    await asyncio.to_thread(first.stop)
    supervise()
    await servers.wait_until(server, Status.RUNNING)

    async def is_called() -> bool:
        return bool((await caller(server, "echo")).content)

    await wait_for(is_called)
    [to_second] = transport._sessions[asyncio.get_running_loop()].values()
    assert (to_first.closed, to_second.closed) == (True, False)
