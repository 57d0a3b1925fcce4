"""Access to a worker's data plane: tokens, fences, sockets, other machines."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from connector.client import routes, transport
from connector.client.connection import opened
from connector.client.transport import result_of
from connector.errors import CallFailed

PARAMS = {"name": "echo", "arguments": {}}
CALL = {
    "slot": 0, "fence": 1, "method": "tools/call", "params": PARAMS,
    "timeout_s": 1, "left_s": 1, "progress": False,
}  # fmt: skip


async def asked(socket: str, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer of a worker, whose errors are raised."""
    connection = await opened(socket)
    try:
        result: dict[str, Any] = result_of(await connection.ask("request", body, lambda _: None))
    finally:
        connection.close()
    return result


@pytest.mark.parametrize("token", ["", "wrong", "Ünicode"])
async def test_a_caller_without_the_token_is_refused(
    servers: Any, supervise: Any, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    supervise()
    instance = await servers.instance(await servers.running())
    body = {**CALL, "server_id": instance.server_id}
    assert (await asked(instance.worker.socket, body))["content"]
    monkeypatch.setattr("connector.client.connection.data_plane_token", lambda: token)
    with pytest.raises(CallFailed, match="SECRET_KEY") as refused:
        await asked(instance.worker.socket, body)
    assert refused.value.code == "server_unavailable"


async def test_a_stale_fence_is_refused(servers: Any, supervise: Any) -> None:
    supervise()
    instance = await servers.instance(await servers.running())
    with pytest.raises(CallFailed) as refused:
        await asked(
            instance.worker.socket, {**CALL, "server_id": instance.server_id, "fence": instance.fence - 1}
        )
    assert refused.value.code == "stale_fence"


async def test_only_this_user_can_reach_the_socket(servers: Any, supervise: Any) -> None:
    supervise()
    socket = Path((await servers.instance(await servers.running())).worker.socket)
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert len(str(socket)) < 108


async def test_another_machine_can_call_over_tcp(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any
) -> None:
    supervise(bind="127.0.0.1:0")
    server = await servers.running()
    monkeypatch.setattr(transport, "host_id", lambda: "another machine")
    assert (await caller(server, "echo")).content[0]["text"] == "{}"


async def test_another_machine_cannot_call_a_worker_without_an_address(
    servers: Any, supervise: Any, caller: Any, monkeypatch: Any
) -> None:
    supervise()
    server = await servers.running()
    monkeypatch.setattr(transport, "host_id", lambda: "another machine")
    with pytest.raises(CallFailed) as failed:
        await caller(server, "echo")
    assert failed.value.code == "server_unavailable"


async def test_without_the_database_calls_take_the_last_known_route(
    servers: Any, supervise: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervise()
    known, unknown = await servers.running(), await servers.running(name="unknown")
    await caller(known, "echo")

    async def refuse(_: int) -> Any:
        raise OperationalError("no database")

    monkeypatch.setattr(routes._cache, "_load", refuse)
    routes.forget()
    assert (await caller(known, "echo")).content
    with pytest.raises(CallFailed, match="database cannot be reached"):
        await caller(unknown, "echo")


async def test_a_slow_database_delays_no_call(
    servers: Any, supervise: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervise()
    server = await servers.running()
    await caller(server, "echo")

    async def wait(_: int) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr(routes._cache, "_load", wait)
    routes.forget()
    assert (await asyncio.wait_for(caller(server, "echo"), 15)).content
