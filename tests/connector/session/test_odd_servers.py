"""Servers with odd protocol versions, answers and requests (faults I13 to I15); repeated calls."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from connector.errors import CallFailed
from connector.states import Phase
from tests.connector.conftest import SERVERS, wait_for
from tools.models import MCPTool, Status


async def odd(servers: Any, *switches: str, status: Status = Status.RUNNING) -> MCPTool:
    server = await servers.register(args=[str(SERVERS / "odd.py"), *switches])
    row: MCPTool = await servers.wait_until(server, status)
    return row


async def answer_text(caller: Any, server: MCPTool, function: str, **arguments: Any) -> str:
    return str((await caller(server, function, **arguments)).content[0]["text"])


async def failure(call: Any) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await call
    return failed.value


# --- I13: versions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_older_version_is_supported(
    servers: Any, supervise: Any, caller: Any, version: str
) -> None:
    supervise()
    server = await odd(servers, f"version={version}")
    assert (await servers.instance(server)).protocol_version == version
    assert await answer_text(caller, server, "twice") == "fine"


async def test_a_server_of_the_stateless_era_alone_is_supported(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await odd(servers, "modern")
    assert (await servers.instance(server)).protocol_version == "2026-07-28"


@pytest.mark.parametrize(
    "switches",
    [
        ["version=1999-01-01"],
        ["version=2999-01-01"],
        ["version="],
        ["capabilities"],
        ["modern", "version=2999-01-01"],
    ],
    ids=["unknown", "newer", "missing", "capabilities", "newer-modern"],
)
async def test_an_unknown_version_is_an_error_and_rarely_retried(
    servers: Any, supervise: Any, monkeypatch: Any, switches: list[str]
) -> None:
    monkeypatch.setattr("connector.states.BACKOFF_FIRST_S", 0.02)
    supervise()
    row = await odd(servers, *switches, status=Status.ERROR)
    assert row.error["class"] == "protocol_mismatch"
    await asyncio.sleep(0.5)
    instance = await servers.instance(row)
    assert (instance.restarts, instance.phase) == (1, Phase.BACKOFF)


# --- I14: messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["null-id", "unknown-id"])
async def test_a_malformed_answer_fails_its_call_and_the_session_survives(
    servers: Any, supervise: Any, caller: Any, answer: str
) -> None:
    supervise()
    server = await odd(servers)
    pid = (await servers.instance(server)).pid
    assert (await failure(caller(server, answer, timeout_s=0.3))).code == "tool_timeout"
    assert await answer_text(caller, server, "twice") == "fine"
    assert (await servers.instance(server)).pid == pid


UNREADABLE = ["no-jsonrpc", "string-code", "no-message", "null-result", "string-result", "list-result"]


@pytest.mark.parametrize("answer", UNREADABLE)
async def test_an_unreadable_answer_with_the_calls_id_fails_the_call_at_once(
    servers: Any, supervise: Any, caller: Any, answer: str
) -> None:
    supervise()
    server = await odd(servers)
    pid = (await servers.instance(server)).pid
    began = asyncio.get_running_loop().time()
    assert (await failure(caller(server, answer, timeout_s=20))).code == "invalid_result"
    assert asyncio.get_running_loop().time() - began < 15
    assert await answer_text(caller, server, "twice") == "fine"
    assert (await servers.instance(server)).pid == pid


async def test_an_invalid_byte_in_an_answer_is_replaced(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    assert await answer_text(caller, await odd(servers), "invalid-utf8") == "\ufffd"


async def test_half_of_a_surrogate_pair_in_an_answer_is_replaced(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    text = await answer_text(caller, await odd(servers), "lone-surrogate")
    assert text.replace("\0", "\ufffd") == "a\ufffd b\ufffd"


@pytest.mark.parametrize("answer", ["error-32000", "error-32700", "error-31999", "terminated"])
async def test_a_servers_own_error_is_the_calls_result_whatever_its_code(
    servers: Any, supervise: Any, caller: Any, answer: str
) -> None:
    supervise()
    server = await odd(servers)
    pid = (await servers.instance(server)).pid
    result = await caller(server, answer)
    assert (result.is_error, result.content[0]["text"]) == (
        True,
        "Session terminated" if answer == "terminated" else "no",
    )
    assert await answer_text(caller, server, "twice") == "fine"
    instance = await servers.instance(server)
    assert (instance.pid, instance.restarts) == (pid, 0)


async def test_resources_that_cannot_be_listed_are_a_warning(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await odd(servers, "resources")

    async def warned() -> MCPTool | None:
        row: MCPTool = await servers.row(server)
        return row if row.error else None

    row = await wait_for(warned)
    assert (row.status, row.error["class"], row.error["stage"]) == (
        Status.RUNNING,
        "not_listed",
        "capabilities",
    )
    assert "Access denied" in row.error["message"]
    await asyncio.sleep(1.2)  # two health checks
    assert await answer_text(caller, server, "twice") == "fine"
    instance = await servers.instance(server)
    assert (instance.restarts, instance.phase) == (0, Phase.READY)


@pytest.mark.parametrize(
    "switches",
    [
        ["modern", "late=1", "version=2026-07-28"],
        ["late=1", "version=2025-06-18"],
        ["silent", "version=2025-11-25"],
    ],
    ids=["modern", "older", "silent"],
)
async def test_a_slow_answer_to_the_probe_counts(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any, switches: list[str]
) -> None:
    monkeypatch.setattr("connector.session.client.PROBE_PATIENCE_S", 0.2)
    supervise()
    server = await odd(servers, *switches)
    instance = await servers.instance(server)
    assert (f"version={instance.protocol_version}", instance.restarts) == (switches[-1], 0)
    assert (await caller(server, "input")).content


@pytest.mark.parametrize("answer", ["string-id", "twice", "batch"])
async def test_an_odd_answer_that_can_be_matched_is_used_once(
    servers: Any, supervise: Any, caller: Any, answer: str
) -> None:
    supervise()
    server = await odd(servers)
    assert [await answer_text(caller, server, answer) for _ in range(2)] == ["fine", "fine"]


async def test_an_answer_that_is_a_result_and_an_error_is_an_error(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    assert (await caller(await odd(servers), "both")).is_error


async def test_a_tool_that_asks_for_input_gives_an_error_result(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    result = await caller(await odd(servers, "modern"), "input")
    assert result.is_error
    assert "asks for input" in result.content[0]["text"]


# --- I15: requests to us -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["sampling/createMessage", "elicitation/create", "roots/list", "nonsense/method"]
)
async def test_a_servers_requests_are_refused(servers: Any, supervise: Any, caller: Any, method: str) -> None:
    supervise()
    server = await odd(servers)
    await caller(server, "ask", method=method, times=1)
    [answer] = json.loads(await answer_text(caller, server, "answers"))
    assert (answer["id"], answer["error"]["code"]) == ("ask-0", -32601)


async def test_a_ping_is_answered(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await odd(servers)
    await caller(server, "ask", method="ping", times=1)
    assert [each["result"] for each in json.loads(await answer_text(caller, server, "answers"))] == [{}]


async def test_a_flood_of_requests_is_mostly_ignored_and_calls_go_on(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await odd(servers)
    began = asyncio.get_running_loop().time()
    await caller(server, "ask", method="sampling/createMessage", times=2000, timeout_s=30)
    answers = json.loads(await answer_text(caller, server, "answers"))
    seconds = asyncio.get_running_loop().time() - began
    assert 0 < len(answers) <= 50 * (int(seconds) + 2)


# --- calls that are repeated -------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["read", "set"])
async def test_an_idempotent_call_is_repeated_after_a_lost_session(
    servers: Any, supervise: Any, caller: Any, tmp_path: Path, function: str
) -> None:
    supervise()
    server = await odd(servers)
    assert await answer_text(caller, server, function, log=str(tmp_path / "calls")) == "again"
    assert (tmp_path / "calls").read_text() == "xx"


async def test_any_other_call_is_never_repeated(
    servers: Any, supervise: Any, caller: Any, tmp_path: Path
) -> None:
    supervise()
    server = await odd(servers)
    failed = await failure(caller(server, "add", log=str(tmp_path / "calls")))
    assert failed.code == "server_restarting"
    await wait_for(lambda: servers.wait_until(server, Status.RUNNING))
    await asyncio.sleep(0.3)
    assert (tmp_path / "calls").read_text() == "x"


async def test_a_call_is_repeated_once_and_within_its_deadline(
    servers: Any, supervise: Any, caller: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    supervise()
    server = await odd(servers)
    log = tmp_path / "gone" / "calls"  # opening it fails: the server ends at every call
    began = asyncio.get_running_loop().time()
    failed = await failure(caller(server, "read", log=str(log), timeout_s=60))
    assert failed.code == "server_restarting"
    assert asyncio.get_running_loop().time() - began < 30
    assert (await servers.instance(server)).restarts <= 2


async def test_a_call_is_not_repeated_after_its_deadline(
    servers: Any, supervise: Any, caller: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("connector.states.BACKOFF_FIRST_S", 20)
    supervise()
    server = await odd(servers)
    began = asyncio.get_running_loop().time()
    await failure(caller(server, "read", log=str(tmp_path / "calls"), timeout_s=1))
    assert asyncio.get_running_loop().time() - began < 10
    assert (tmp_path / "calls").read_text() == "x"
