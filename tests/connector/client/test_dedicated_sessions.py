"""The sessions, each with a process of its own, of clients that can be asked back."""

import asyncio
import signal
from dataclasses import replace
from typing import Any

import pytest

from connector.client import calls, requests
from connector.errors import CallFailed
from connector.lifecycle import dedicated_session, session_caps
from tests.connector.client.asking import ALL, ANSWERS, CLIENT, answered, asked, call, said
from tests.connector.conftest import FAST, SERVERS, wait_for
from tests.connector.processes import server_processes
from tools import actions
from tools.models import MCPTool, Status


async def test_a_client_that_can_be_asked_has_a_process_of_its_own(asking: MCPTool) -> None:
    shared = said(await call(asking, "pid", requests.NONE))
    own = said(await call(asking, "pid"))
    assert said(await call(asking, "pid")) == own != shared
    assert said(await call(asking, "declared")) == ALL
    assert said(await call(asking, "declared", requests.NONE)) == {}
    others = [replace(CLIENT, session="another"), replace(CLIENT, key_id=2), replace(CLIENT, session="")]
    pids = [said(await call(asking, "pid", each)) for each in others]
    assert len({own, shared, *pids}) == 5
    await requests.end_session(CLIENT.session)
    assert said(await call(asking, "pid")) not in {own, shared, *pids}


async def test_a_session_for_one_request_ends_with_it(asking: MCPTool) -> None:
    before = len(server_processes())
    once = replace(CLIENT, session="")
    required = await asked(asking, once, kinds=["form"])
    [name] = required.requests
    assert len(server_processes()) > before
    await call(asking, "ask", answered(required, once, **{name: ANSWERS["form"]}), kinds=[])
    await wait_for(lambda: len(server_processes()) == before)


async def test_an_idle_session_ends(asking: MCPTool, monkeypatch: Any) -> None:
    monkeypatch.setattr(dedicated_session, "IDLE_S", 0.5)
    before = len(server_processes())
    await call(asking, "pid")
    await wait_for(lambda: len(server_processes()) == before)


async def test_a_dedicated_session_outlives_the_lease_and_ends_with_the_server(
    asking: MCPTool, servers: Any
) -> None:
    pid = said(await call(asking, "pid"))
    await asyncio.sleep(5)  # the lease of the tests' workers lasts 4 s
    assert said(await call(asking, "pid")) == pid
    await asked(asking, kinds=["form"])
    await servers.act(actions.stop, asking)
    await servers.wait_until(asking, Status.STOPPED)
    assert not server_processes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_dedicated_session_ends_with_its_worker(
    servers: Any, owner_process: Any, caller: Any, number: int
) -> None:
    owner = owner_process("mcp@other")
    server = await servers.running(args=[str(SERVERS / "asking.py")], name="asking", asks_back=True)
    required = await asked(server, kinds=["form"])
    assert len({process.server for process in server_processes()}) == 2
    owner.signal(number)
    await wait_for(lambda: not server_processes(), within_s=FAST.lease + 2)
    owner.signal(signal.SIGCONT)
    with pytest.raises(CallFailed):
        await call(server, "ask", answered(required), kinds=[], timeout_s=1)


async def test_the_sessions_of_a_key_are_limited(asking: MCPTool, monkeypatch: Any) -> None:
    monkeypatch.setattr(session_caps, "MOST_PER_KEY", 1)
    await call(asking, "pid")
    with pytest.raises(CallFailed, match="this API key has 1 already") as refused:
        await call(asking, "pid", replace(CLIENT, session="another"))
    assert refused.value.code == "overloaded"
    await call(asking, "pid", replace(CLIENT, session="another", key_id=2))


async def test_progress_and_log_messages_of_a_dedicated_session_reach_the_client(asking: MCPTool) -> None:
    reports: list[Any] = []
    logged: list[Any] = []
    exchange = replace(CLIENT, on_progress=reports.append, on_log=logged.append, log_level="warning")
    await call(asking, "report", exchange, every=0.01, times=2)
    await call(asking, "log", exchange)
    await call(asking, "log", replace(exchange, log_level="error"))
    assert [each.progress for each in reports] == [1, 2]
    assert [each["data"] for each in logged] == [{"level": "warning"}, {"level": "error"}]
    await calls.call(asking.pk, "log", {}, timeout_s=5)
    assert len(logged) == 2
