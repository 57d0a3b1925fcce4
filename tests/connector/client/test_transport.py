"""The connection of a calling process to a worker."""

import asyncio
from typing import Any

from connector.client import pool
from connector.client.connection import Connection
from tests.connector.conftest import wait_for
from tools.models import Status


def held() -> list[Connection]:
    return list(pool._held[asyncio.get_running_loop()].open.values())


async def test_the_connection_to_a_worker_that_has_ended_is_closed(
    servers: Any, supervise: Any, caller: Any
) -> None:
    first = supervise()
    server = await servers.running()
    await caller(server, "echo")
    [to_first] = held()
    await asyncio.to_thread(first.stop)
    supervise()
    await servers.wait_until(server, Status.RUNNING)

    async def is_called() -> bool:
        return bool((await caller(server, "echo")).content)

    await wait_for(is_called)
    [to_second] = held()
    assert (to_first.is_open, to_second.is_open) == (False, True)


async def test_all_calls_to_a_worker_share_one_connection(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    one, other = await servers.running(), await servers.running(name="other")
    calls = [caller(server, "echo", number=number) for number in range(16) for server in (one, other)]
    texts = [each.content[0]["text"] for each in await asyncio.gather(*calls)]
    assert texts == [f'{{"number": {number}}}' for number in range(16) for _ in "ab"]
    assert len(held()) == 1
