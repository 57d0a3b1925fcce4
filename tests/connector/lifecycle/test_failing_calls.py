"""Calls that fail, are cancelled, or bring more than is expected."""

import asyncio
import time
from pathlib import Path
from typing import Any

from connector.errors import CallFailed
from connector.lifecycle.call_limiter import CALLS_AT_ONCE
from tests.connector.conftest import wait_for
from tests.connector.lifecycle.failures import failure


async def cancellations(caller: Any, server: Any) -> int:
    return int((await caller(server, "cancelled")).content[0]["text"])


async def test_a_crash_fails_its_calls_at_once_and_the_server_is_soon_back(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server, bystander = await servers.running(), await servers.running(name="bystander")
    began = asyncio.get_running_loop().time()
    other = asyncio.create_task(caller(server, "sleep", s=30, timeout_s=30))
    await asyncio.sleep(0.05)
    assert (await failure(caller(server, "crash", timeout_s=30))).code == "server_restarting"
    assert (await failure(other)).code == "server_restarting"
    assert (await caller(bystander, "echo")).content

    async def back() -> bool:
        try:
            return bool((await caller(server, "echo")).content)
        except CallFailed:
            return False

    await wait_for(back)
    assert asyncio.get_running_loop().time() - began < 20
    instance = await servers.instance(server)
    assert (instance.last_exit["code"], instance.restarts) == (7, 1)


async def test_an_oversized_line_fails_its_call_and_the_server_lives(
    servers: Any, supervise: Any, caller: Any, settings: Any
) -> None:
    settings.MCP_RESULT_LIMIT = 100_000
    supervise()
    server = await servers.running()
    pid = (await caller(server, "pid")).content
    assert (await failure(caller(server, "big", bytes=5_000_000))).code == "output_too_large"
    assert (await caller(server, "pid")).content == pid


async def test_a_result_of_fifteen_megabytes_is_read_in_short_time(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running()
    began = time.process_time()
    result = await caller(server, "big", bytes=15_000_000, timeout_s=60)
    assert len(result.content[0]["text"]) == 15_000_000
    assert time.process_time() - began < 5


async def test_cancelling_a_call_cancels_it_at_the_server(
    servers: Any, supervise: Any, caller: Any, tmp_path: Path
) -> None:
    supervise()
    log = tmp_path / "calls"
    server = await servers.running(env={"FAKE_CALLS": str(log)})
    call = asyncio.create_task(caller(server, "sleep", s=60, timeout_s=60))
    await wait_for(log.exists)
    call.cancel()

    async def cancelled() -> bool:
        return await cancellations(caller, server) == 1

    await wait_for(cancelled)


async def test_a_call_past_its_deadline_fails_and_is_cancelled_at_the_server(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running()
    assert (await failure(caller(server, "sleep", s=30, timeout_s=1))).code == "tool_timeout"
    assert await cancellations(caller, server) == 1


async def test_a_tool_that_is_not_offered_is_not_called(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    assert (await failure(caller(server, "nonsense"))).code == "unknown_tool"


async def test_the_error_of_a_tool_is_a_result(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    assert (await caller(await servers.running(), "fail")).is_error


async def test_more_calls_than_may_wait_are_refused(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("connector.lifecycle.call_limiter.CALLS_WAITING", 0)
    supervise()
    server = await servers.running()
    calls = [caller(server, "sleep", s=4, timeout_s=60) for _ in range(CALLS_AT_ONCE + 1)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    [refusal] = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(refusal, CallFailed)
    assert refusal.code == "overloaded"
