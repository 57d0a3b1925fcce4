"""Tools that a server lists only for clients that it can ask back, in both eras."""

import json
from dataclasses import replace
from typing import Any

import pytest

from connector.client import calls, requests
from connector.client.requests import Exchange, InputRequired
from connector.errors import CallFailed
from tests.connector.conftest import SERVERS, wait_for
from tests.connector.processes import server_processes
from tools import actions
from tools.models import MCPTool, Status

ASKING = str(SERVERS / "asking.py")
CLIENT = Exchange(capabilities={"elicitation": {"form": {}}}, session="of a client", key_id=1)
ANSWER = {"action": "accept", "content": {"name": "Ada"}}


@pytest.fixture(params=["session", "modern"])
async def shy(request: Any, servers: Any, supervise: Any, caller: Any) -> MCPTool:
    supervise()
    is_session = request.param == "session"
    server: MCPTool = await servers.running(args=[ASKING, request.param], name="shy", asks_back=is_session)
    return server


async def call(server: MCPTool, exchange: Exchange = CLIENT) -> Any:
    params = {"name": "shy", "arguments": {"kinds": ["form"]}}
    return await requests.send(server.pk, "tools/call", params, timeout_s=8, exchange=exchange)


async def names(server: MCPTool) -> set[str]:
    return {each.name async for each in server.functions.all()}


async def test_it_is_listed_and_asks_the_client(shy: MCPTool) -> None:
    assert {"shy", "ask"} <= await names(shy)
    required = await call(shy)
    assert isinstance(required, InputRequired)
    [name] = required.requests
    result = await call(shy, replace(CLIENT, state=required.state, responses={name: ANSWER}))
    assert "Ada" in result["content"][0]["text"]


async def test_a_client_that_cannot_be_asked_is_told(shy: MCPTool) -> None:
    with pytest.raises(
        CallFailed, match=r"This one cannot be asked|elicitation, which the client"
    ) as refused:
        await call(shy, requests.NONE)
    assert refused.value.code == "refused"


async def test_a_chat_is_told(shy: MCPTool) -> None:
    try:
        result = await calls.call(shy.pk, "shy", {"kinds": ["form"]}, timeout_s=8)
        told = result.content[0]["text"]
    except CallFailed as refused:
        told = refused.message
    assert "This one cannot be asked" in told or "input from a person" in told


async def test_a_client_that_can_be_asked_for_less_is_told(shy: MCPTool) -> None:
    told = r"supports no more than sampling|elicitation, which the client"
    with pytest.raises(CallFailed, match=told) as refused:
        await call(shy, replace(CLIENT, capabilities={"sampling": {}}))
    assert refused.value.code == "refused"


async def test_callers_without_anybody_to_ask_are_not_declared_as_askable(
    servers: Any, supervise: Any, caller: Any
) -> None:
    """A server that asks only where it can goes on without."""
    supervise()
    server = await servers.running(args=[ASKING], name="marked", asks_back=True)
    result = await calls.call(server.pk, "declared", {}, timeout_s=8)
    assert json.loads(result.content[0]["text"]) == {}
    assert len({process.server for process in server_processes()}) == 1


async def test_marking_a_server_makes_them_known(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    server = await servers.running(args=[ASKING], name="later marked")
    assert "shy" not in await names(server)
    await servers.act(actions.update, server, asks_back=True)

    async def is_known() -> bool:
        return "shy" in await names(server)

    await wait_for(is_known)


async def test_a_server_that_cannot_run_twice_says_what_is_not_known(
    servers: Any, supervise: Any, caller: Any, tmp_path: Any
) -> None:
    """Its second process ends at once: the tools for every client are there, and its error says why."""
    supervise()
    args = [ASKING, "alone", str(tmp_path / "lock")]
    server = await servers.running(args=args, name="single", asks_back=True)
    assert "ask" in await names(server)
    assert "shy" not in await names(server)
    row = await servers.row(server)
    assert row.status == Status.RUNNING
    assert "only for clients that it can ask back" in str(row.error_message)
