"""Servers that break the rules: the server, its calls and the other servers afterwards."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from connector.models import Instance
from connector.states import Phase
from tests.connector.conftest import FAST, SERVERS, wait_for
from tests.connector.lifecycle.failures import failure
from tools import actions
from tools.models import Status, ToolFunction


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


async def test_a_server_that_stops_answering_is_restarted(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running()
    pid = (await servers.instance(server)).pid
    os.kill(pid, signal.SIGSTOP)

    async def replaced() -> bool:
        return bool((await servers.instance(server)).pid not in (pid, None))

    await wait_for(replaced)
    assert (await servers.instance(server)).last_exit["class"] == "unresponsive"


async def test_no_descriptor_of_the_worker_reaches_a_server(
    servers: Any, supervise: Any, tmp_path: Path
) -> None:
    (tmp_path / "secret").touch()
    inheritable = os.open(tmp_path / "secret", os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    supervise()
    script = (
        "import os, sys\n"
        "print([fd for fd in range(3, 512) if os.path.exists(f'/proc/self/fd/{fd}')], file=sys.stderr)\n"
        "raise SystemExit(1)"
    )
    server = await servers.register(args=["-c", script])
    await servers.wait_until(server, Status.ERROR)
    os.close(inheritable)
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
