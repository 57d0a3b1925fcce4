"""Remote servers that fail as HTTP servers do (fault I19)."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.client import calls
from connector.errors import CallFailed
from tests.connector.conftest import wait_for
from tools.models import MCPTool, Status


@pytest.fixture
async def server(start_remote: Any, servers: Any, supervise: Any, monkeypatch: Any) -> MCPTool:
    monkeypatch.setattr("connector.states.BACKOFF_CAP_S", 0.3)
    supervise()
    row: MCPTool = await servers.running(connection_type="streamable_http", url=start_remote("web.py").url)
    return row


async def failure(call: Any) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await call
    return failed.value


async def outcome(call: Any) -> str:
    try:
        result = await call
    except CallFailed as failed:
        return f"{failed.code}: {failed.message}"
    return f"{'error' if result.is_error else 'fine'}: {result.content}"


async def test_a_new_session_is_opened_at_once_when_the_server_has_forgotten_it(
    server: MCPTool, servers: Any, caller: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("connector.states.backoff_s", lambda attempt: 30.0)
    await caller(server, "become", way="forgetful")
    assert (await failure(caller(server, "count"))).code == "server_restarting"

    async def back() -> bool:
        try:
            return bool((await caller(server, "count")).content)
        except CallFailed:
            return False

    async def restarts() -> int:
        return (await servers.instance(server)).restarts

    await wait_for(back, within_s=10)
    await wait_for(restarts, within_s=10)  # what the worker reports, soon after
    assert await restarts() == 1


async def test_a_read_only_call_is_repeated_in_a_new_session(server: MCPTool, caller: Any) -> None:
    await caller(server, "become", way="forgetful")
    assert (await caller(server, "read")).content[0]["text"] == '["become", "read"]'


async def test_a_health_check_finds_a_forgotten_session(server: MCPTool, servers: Any, caller: Any) -> None:
    await caller(server, "become", way="forgetful")

    async def renewed() -> bool:
        return bool((await servers.instance(server)).restarts)

    await wait_for(renewed, within_s=15)
    await servers.wait_until(server, Status.RUNNING)


@pytest.mark.parametrize("way", ["500", "401", "html", "not-json", "null-result", "redirect", "cut"])
async def test_a_broken_answer_fails_its_call_and_the_server_is_used_again(
    server: MCPTool, servers: Any, caller: Any, way: str
) -> None:
    await caller(server, "become", way=way, times=1)
    described = await outcome(caller(server, "count", timeout_s=3))
    assert described.startswith(("error: ", "invalid_result", "server_restarting"))
    assert "canary" not in described
    assert "Oops" not in described

    async def well() -> bool:
        try:
            return not (await caller(server, "count", timeout_s=1)).is_error
        except CallFailed:
            return False

    await wait_for(well)


@pytest.mark.parametrize("tool", ["broken", "broken_event"])
async def test_what_is_no_character_in_an_answer_is_replaced(server: MCPTool, caller: Any, tool: str) -> None:
    assert (await caller(server, tool, timeout_s=3)).content[0]["text"] == "a\ufffd\ufffd"


async def test_the_first_start_is_no_failure_when_the_probe_is_refused(server: MCPTool, servers: Any) -> None:
    instance = await servers.instance(server)
    assert (instance.restarts, instance.protocol_version) == (0, "2025-06-18")


async def test_a_call_that_needs_more_scopes_says_which(server: MCPTool, servers: Any, caller: Any) -> None:
    await caller(server, "become", way="403", times=1)
    failed = await failure(caller(server, "count"))
    assert (failed.code, "mail.read mail.send" in failed.message) == ("refused", True)
    assert "log in" in failed.message
    assert not (await caller(server, "count")).is_error
    assert (await servers.instance(server)).restarts == 0


async def test_an_answer_that_never_comes_fails_at_the_deadline(server: MCPTool, caller: Any) -> None:
    await caller(server, "become", way="silent", times=1)
    began = asyncio.get_running_loop().time()
    assert (await failure(caller(server, "count", timeout_s=0.5))).code == "tool_timeout"
    assert asyncio.get_running_loop().time() - began < 15


@pytest.mark.parametrize(
    ("way", "exit_class"),
    [("500", "unreachable"), ("401", "login_required"), ("html", "unreachable"), ("redirect", "unreachable")],
)
async def test_a_server_that_keeps_failing_is_an_error_with_a_reason(
    server: MCPTool, servers: Any, caller: Any, way: str, exit_class: str
) -> None:
    await caller(server, "become", way=way, times=1000)
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == exit_class
    assert "canary" not in str(row.error)
    assert (await failure(calls.call(server.pk, "count", {}, timeout_s=2))).code == "server_unavailable"


def expired_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    now = datetime.now(UTC)
    builder = builder.not_valid_before(now - timedelta(2)).not_valid_after(now - timedelta(1))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + secret)
    return path


async def test_an_expired_certificate_is_refused(
    servers: Any, supervise: Any, start_remote: Any, tmp_path: Path
) -> None:
    supervise()
    there = start_remote("web.py", str(expired_certificate(tmp_path)), scheme="https")
    server = await servers.register(connection_type="streamable_http", url=there.url)
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "unreachable"
    assert row.error_message.endswith("cannot be reached: its certificate is not trusted.")
