"""Servers that break the rules: the server, its calls and the other servers afterwards."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from connector.errors import CallFailed
from connector.lifecycle.call_limiter import CALLS_AT_ONCE
from connector.models import Instance
from connector.states import Phase
from tests.connector.conftest import FAST, SERVERS, wait_for
from tools import actions
from tools.models import Status, ToolFunction


async def failure(call: Any) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await call
    return failed.value


async def cancellations(caller: Any, server: Any) -> int:
    return int((await caller(server, "cancelled")).content[0]["text"])


async def test_a_command_that_does_not_exist_is_an_error_with_a_reason(
    servers: Any, supervise: Any, settings: Any
) -> None:
    settings.MCP_ALLOWED_COMMANDS = ["no-such-command"]
    supervise()
    server = await servers.register(command="no-such-command", args=[])
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "missing_binary"
    assert row.error_message == "The command 'no-such-command' cannot be run: No such file or directory."
    assert row.error["remedy"]


async def test_a_server_that_ends_at_once_is_restarted_until_it_is_a_crash_loop(
    servers: Any, supervise: Any, monkeypatch: Any, tmp_path: Any
) -> None:
    monkeypatch.setattr("connector.states.BACKOFF_FIRST_S", 0.02)
    supervise()
    log = tmp_path / "starts"
    script = f"open({str(log)!r}, 'a').write('x'); raise SystemExit(3)"
    server = await servers.register(args=["-c", script])

    async def looping() -> bool:
        return await Instance.objects.filter(server=server, phase=Phase.CRASH_LOOP).aexists()

    await wait_for(looping)
    row, instance = await servers.row(server), await servers.instance(server)
    assert (row.status, row.error["class"]) == (Status.ERROR, "crashed")
    assert instance.last_exit["code"] == 3
    assert len(log.read_text()) == 6
    await servers.act(actions.update, server, args=[str(SERVERS / "fake.py")])
    await servers.wait_until(server, Status.RUNNING)


async def test_a_missing_variable_is_named_and_the_stderr_tail_is_stored(
    servers: Any, supervise: Any
) -> None:
    supervise()
    server = await servers.register("needs-key")
    row = await servers.wait_until(server, Status.ERROR)
    assert (row.error["class"], "WEATHER_API_KEY" in row.error_message) == ("missing_variable", True)
    assert "KeyError" in (await servers.instance(server)).stderr_tail


async def test_a_server_that_does_not_answer_hits_its_start_timeout(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.register("mute", start_timeout_s=1)
    row = await servers.wait_until(server, Status.ERROR)
    assert (row.error["class"], row.error_message) == (
        "start_timeout",
        "The server was not ready within 1 s.",
    )


async def test_a_server_that_only_prints_has_stray_stdout(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.register(
        args=["-c", "print('Listening!', flush=True); input(); input(); input()"], start_timeout_s=1
    )
    row = await servers.wait_until(server, Status.ERROR)
    assert (row.error["class"], "Listening!" in row.error_message) == ("noise_on_stdout", True)


async def test_stray_lines_between_messages_are_skipped(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running("stray")
    assert (await caller(server, "echo")).content[0]["text"] == "{}"


async def test_a_server_that_ends_at_discovery_is_initialized_instead(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running("modern-dies")
    assert (await caller(server, "echo")).content[0]["text"] == "{}"


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


async def test_a_server_that_stops_reading_is_restarted_and_its_calls_fail(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("connector.process.stdio.WRITE_DEADLINE_S", 0.3)
    supervise(timings=replace(FAST, health=60))
    server = await servers.running()
    pid = (await servers.instance(server)).pid
    await caller(server, "stop_reading")
    unread = asyncio.create_task(caller(server, "echo", timeout_s=30))
    await asyncio.sleep(0.1)
    assert (await failure(caller(server, "echo", word="x" * 500_000))).code == "server_restarting"

    async def replaced() -> bool:
        return bool((await servers.instance(server)).pid not in (pid, None))

    assert (await failure(unread)).code == "server_restarting"
    await wait_for(replaced)


async def test_a_server_that_answers_nothing_is_restarted_although_it_is_called(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running()
    pid = (await servers.instance(server)).pid
    await caller(server, "stop_reading")

    async def call_for_ever() -> None:
        while True:
            await failure(caller(server, "sleep", s=9, timeout_s=0.5))
            await asyncio.sleep(0.01)  # a call that is refused at once never yields to the loop

    async def replaced() -> bool:
        return bool((await servers.instance(server)).pid not in (pid, None))

    calling = [asyncio.create_task(call_for_ever()) for _ in range(3)]
    try:
        await wait_for(replaced, within_s=60)
    finally:
        for task in calling:
            task.cancel()


async def test_a_server_that_is_busy_with_a_call_is_not_restarted(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise(timings=replace(FAST, health=0.2, health_deadline=0.2))
    server = await servers.running()
    pid = (await servers.instance(server)).pid
    process = psutil.Process(pid)
    call = asyncio.create_task(caller(server, "echo", timeout_s=30))
    process.suspend()
    await asyncio.sleep(2)
    process.resume()
    assert (await call).content
    assert (await servers.instance(server)).pid == pid


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


async def test_a_broken_definition_costs_its_own_tool_only(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.register("broken-tool")
    row = await servers.wait_until(server, Status.DEGRADED)
    assert "broken, number 16, number 17" in row.error_message
    names = {name async for name in ToolFunction.objects.filter(server=server).values_list("name", flat=True)}
    assert "echo" in names
    assert "broken" not in names


async def test_endless_pages_are_cut_off(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.register("endless")
    await servers.wait_until(server, Status.DEGRADED)
    assert await ToolFunction.objects.filter(server=server).acount() == 50


async def test_a_changed_list_is_noticed(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    await caller(server, "grow")

    async def noticed() -> bool:
        return await ToolFunction.objects.filter(server=server, name="grown").aexists()

    await wait_for(noticed)
    assert (await caller(server, "grown")).content


async def test_a_tool_that_is_not_offered_is_not_called(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    assert (await failure(caller(server, "nonsense"))).code == "unknown_tool"


async def test_the_error_of_a_tool_is_a_result(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    assert (await caller(await servers.running(), "fail")).is_error


async def test_a_server_that_stops_answering_is_restarted(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    pid = (await servers.instance(server)).pid
    os.kill(pid, signal.SIGSTOP)

    async def replaced() -> bool:
        return bool((await servers.instance(server)).pid not in (pid, None))

    await wait_for(replaced)
    assert (await servers.instance(server)).last_exit["class"] == "unresponsive"


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


async def test_no_descriptor_of_the_worker_reaches_a_server(servers: Any, supervise: Any) -> None:
    supervise()
    script = (
        "import os, sys\n"
        "print([fd for fd in range(3, 512) if os.path.exists(f'/proc/self/fd/{fd}')], file=sys.stderr)\n"
        "raise SystemExit(1)"
    )
    server = await servers.register(args=["-c", script])
    await servers.wait_until(server, Status.ERROR)
    assert (await servers.instance(server)).stderr_tail == "[]\n"


async def test_a_server_that_stays_broken_is_logged_once(
    servers: Any, supervise: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("connector.states.BACKOFF_FIRST_S", 0.02)
    supervise()
    server = await servers.register(args=["-c", "import sys; sys.exit('broken')"])

    async def retried() -> bool:
        return (await servers.instance(server)).restarts >= 3

    await wait_for(lambda: servers.wait_until(server, Status.ERROR))
    await wait_for(retried)
    assert len([each for each in caplog.messages if each.startswith("MCP server")]) == 1
