"""What a server and its client tell each other beside calls, where they have a session of their own."""

import json
from dataclasses import replace
from typing import Any

import pytest

from connector.client import requests
from connector.client.requests import Exchange, InputRequired
from tests.connector.conftest import SERVERS, wait_for
from tools.models import MCPTool

DONE = {"elicitationId": "1", "more": 1}
ROOTS = {"roots": [{"uri": "file:///x"}]}
CAPABILITIES = {"elicitation": {"url": {}}, "roots": {"listChanged": True}}


@pytest.fixture
async def telling(servers: Any, supervise: Any, caller: Any) -> MCPTool:
    supervise()
    args = [str(SERVERS / "telling.py")]
    server: MCPTool = await servers.running(args=args, name="telling", asks_back=True)
    return server


class Client:
    """`told` is what it was told by the server."""

    def __init__(self, server: MCPTool, name: str = "a client", **capabilities: Any) -> None:
        self.server, self.told = server, list[Any]()
        self.exchange = Exchange(
            capabilities=capabilities or CAPABILITIES, session=name, key_id=1, on_elicited=self.told.append
        )

    async def call(self, tool: str, /, state: str = "", responses: Any = None, **given: Any) -> Any:
        params = {"name": tool, "arguments": given}
        exchange = replace(self.exchange, state=state, responses=responses)
        return await requests.send(self.server.pk, "tools/call", params, timeout_s=8, exchange=exchange)

    async def says(self, tool: str) -> Any:
        return json.loads((await self.call(tool))["content"][0]["text"])


async def test_what_a_url_was_for_is_reported_as_done_during_a_call(telling: MCPTool) -> None:
    client = Client(telling)
    await client.call("finish")
    assert client.told == [DONE]


async def test_it_is_reported_with_the_next_round_where_none_runs(telling: MCPTool) -> None:
    client, other = Client(telling), Client(telling, "another client")
    await other.call("pid")
    await client.call("finish", after=0.5)
    required = await client.call("ask", kinds=["url"])
    assert isinstance(required, InputRequired)

    async def is_done() -> bool:
        [name] = required.requests
        await client.call("pid")
        return client.told == [DONE] and name != ""

    await wait_for(is_done)
    assert other.told == []


async def test_a_client_whose_roots_have_changed_is_asked_for_them_at_its_next_call(telling: MCPTool) -> None:
    client, other = Client(telling), Client(telling, "another client")
    assert await client.says("roots") == []
    assert await other.says("roots") == []
    await requests.tell_roots_changed("a client")
    required: Any = None

    async def is_asked() -> bool:
        nonlocal required
        required = await client.call("pid")
        return isinstance(required, InputRequired)

    await wait_for(is_asked)
    [(name, question)] = required.requests.items()
    assert question["method"] == "roots/list"
    await client.call("pid", state=required.state, responses={name: ROOTS})

    async def are_known() -> bool:
        return [each["result"] for each in await client.says("roots")] == [ROOTS]

    await wait_for(are_known)
    assert await other.says("roots") == []


async def test_a_client_that_does_not_say_when_its_roots_change_is_not_asked(telling: MCPTool) -> None:
    client = Client(telling, roots={})
    await client.says("pid")
    await requests.tell_roots_changed("a client")
    for _ in range(5):
        assert isinstance(await client.call("pid"), dict)
