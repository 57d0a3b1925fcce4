"""Waiting for servers that are starting or moving."""

import asyncio
import time
from typing import Any

import pytest

from assistants.agent.availability import unavailable
from assistants.catalogue.entries import ServerEntry
from connector.client import routes
from connector.client.routes import Unavailable
from connector.errors import CallFailed
from tests.connector.conftest import wait_for_workers
from tools import actions
from tools.models import Status


@pytest.fixture
async def slow(servers: Any, supervise: Any) -> Any:
    supervise()
    await wait_for_workers(1)  # else the server is one that nobody will start
    return await servers.register("slow-start")


async def test_a_server_that_is_starting_is_awaited(slow: Any, caller: Any) -> None:
    assert isinstance((await routes.availability([slow.pk]))[slow.pk], Unavailable)
    began = time.monotonic()
    assert await routes.availability([slow.pk], wait_s=60) == {slow.pk: None}
    assert time.monotonic() - began < 30


async def test_the_wait_for_a_server_has_a_limit(slow: Any, caller: Any) -> None:
    began = time.monotonic()
    found = (await routes.availability([slow.pk], wait_s=0.5))[slow.pk]
    assert found == Unavailable("The server is starting.", is_starting=True)
    assert time.monotonic() - began >= 0.5


async def test_a_call_waits_for_a_server_that_is_starting(slow: Any, caller: Any) -> None:
    assert (await caller(slow, "echo", timeout_s=10)).content[0]["text"] == "{}"


async def test_a_call_waits_no_longer_than_its_time_out(slow: Any, caller: Any) -> None:
    began = time.monotonic()
    with pytest.raises(CallFailed) as failed:
        await caller(slow, "echo", timeout_s=0.5)
    assert failed.value.code in {"server_unavailable", "tool_timeout"}
    assert time.monotonic() - began < 15


async def test_a_stopped_server_is_not_awaited(slow: Any, servers: Any, caller: Any) -> None:
    await servers.act(actions.stop, slow)
    await servers.wait_until(slow, Status.STOPPED)
    began = time.monotonic()
    assert isinstance((await routes.availability([slow.pk], wait_s=60))[slow.pk], Unavailable)
    with pytest.raises(CallFailed, match=f"{slow.name}: The server is stopped"):
        await caller(slow, "echo", timeout_s=60)
    assert time.monotonic() - began < 30


async def test_a_run_waits_for_its_servers_as_set(slow: Any, caller: Any, settings: Any) -> None:
    class Assistant:
        servers = (ServerEntry(slow.pk, "slow", "slow"),)

    settings.SERVER_WAIT_S = 0.1
    assert slow.pk in await unavailable(Assistant)  # type: ignore[arg-type]
    settings.SERVER_WAIT_S = 10
    assert await unavailable(Assistant) == {}  # type: ignore[arg-type]


async def test_calls_of_a_restarted_server_wait_for_it(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    await caller(server, "echo")
    await servers.act(actions.restart, server)
    answers = await asyncio.gather(*(_echo_after(caller, server, index / 10) for index in range(20)))
    assert answers == ["{}"] * 20


async def _echo_after(caller: Any, server: Any, pause_s: float) -> str:
    await asyncio.sleep(pause_s)
    text: str = (await caller(server, "echo", timeout_s=10)).content[0]["text"]
    return text
