"""What clients are told without asking, and requests that take a while."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from apikeys import actions as key_actions
from config.runner.network import free_port
from tests.assistants.mcp_endpoint.clients import STATELESS, Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.assistants.mcp_endpoint.events import followed, posted
from tests.stack import BY, Stack, wait_for
from tools import actions
from tools.models import MCPTool

Callers = Callable[..., Caller]
LISTEN = {
    "method": "subscriptions/listen",
    "params": {
        "notifications": {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
LISTEN_HEADERS = {"mcp-protocol-version": STATELESS, "mcp-method": "subscriptions/listen"}


@pytest.fixture
def growing(stack: Stack, desk: Desk) -> Iterator[MCPTool]:
    """A server that gets a tool more when its tool `grow` is called."""
    server = stack.server("Growing")
    yield server
    with stack.database():
        actions.delete(MCPTool.objects.get(pk=server.pk), by=BY)


def call(caller: Caller, name: str, **arguments: Any) -> Any:
    return caller.request("tools/call", name=name, arguments=arguments)


def test_a_session_is_told_of_a_changed_list(desk: Desk, growing: MCPTool, caller: Callers) -> None:
    client = caller("/mcp/s/growing", key=desk.manager.key)
    client.initialize()
    with followed(client) as events:
        assert call(client, "grow").status_code == 200
        events.until("notifications/tools/list_changed", within_s=20)
    names = [tool["name"] for tool in client.request("tools/list").json()["result"]["tools"]]
    assert "grown" in names


def test_a_listener_is_told_what_it_asked_for_alone(desk: Desk, growing: MCPTool, caller: Callers) -> None:
    client = caller("/mcp/s/growing", key=desk.manager.key)
    with posted(client, {**LISTEN, "id": "listener"}, **LISTEN_HEADERS) as events:
        first = events.next()
        assert first is not None
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"]["notifications"] == LISTEN["params"]["notifications"]  # type: ignore[index]
        stamp = {"io.modelcontextprotocol/subscriptionId": "listener"}
        assert first["params"]["_meta"] == stamp
        client.stateless("tools/call", header="grow", name="grow", arguments={})
        assert events.until("notifications/tools/list_changed")["params"] == {"_meta": stamp}


def test_the_stream_of_a_deleted_session_ends(desk: Desk, caller: Callers) -> None:
    client = caller()
    client.initialize()
    with followed(client) as events:
        assert client.http.delete(client.url).status_code == 200
        assert events.next() is None


def test_the_streams_of_a_revoked_key_end(stack: Stack, desk: Desk, caller: Callers) -> None:
    key = stack.key("Leaves soon")
    client = caller(key=key.key)
    client.initialize()
    with followed(client) as session, posted(client, LISTEN, **LISTEN_HEADERS) as listener:
        listener.next()
        with stack.database():
            key_actions.disable(key.api_key, by=BY)
        assert session.next(within_s=20) is None
        last = listener.next(within_s=20)
        assert last is None or "result" in last
    assert client.request("ping").status_code == 401


def test_progress_comes_with_the_token_of_the_client(caller: Callers) -> None:
    client = caller()
    client.initialize()
    params = {"name": "fake-desk__storm", "arguments": {"s": 0.3}, "_meta": {"progressToken": "mine"}}
    with posted(client, {"method": "tools/call", "params": params}) as events:
        messages = [message for message in iter(events.next, None) if message]
    assert {each["params"]["progressToken"] for each in messages[:-1]} == {"mine"}
    assert messages[-1]["id"] == 1
    assert messages[-1]["result"]["content"]


def test_a_cancelled_call_is_cancelled_at_the_server(desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/a/desk")
    client.initialize()
    sleeping = {
        "method": "tools/call",
        "id": "nap",
        "params": {"name": "fake-desk__sleep", "arguments": {"s": 30}},
    }
    before = _cancelled(client)
    with posted(client, sleeping) as events:
        time.sleep(0.5)
        assert (
            client.post({"method": "notifications/cancelled", "params": {"requestId": "nap"}}).status_code
            == 202
        )
        assert events.next() is None
    wait_for(lambda: _cancelled(client) > before, within_s=25)


def test_a_client_that_vanishes_cancels_its_call(desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/a/desk")
    client.initialize()
    other = caller("/mcp/a/desk")
    other.initialize()
    before = _cancelled(other)
    params = {"name": "fake-desk__sleep", "arguments": {"s": 30}}
    with posted(client, {"method": "tools/call", "params": params}) as events:
        events.leave()
    wait_for(lambda: _cancelled(other) > before, within_s=25)


def _cancelled(client: Caller) -> int:
    """Returns how many calls the server was asked to cancel."""
    answer = call(client, "fake-desk__cancelled").json()["result"]
    return int(answer["content"][0]["text"])


def test_a_session_works_at_every_web_process(stack: Stack, desk: Desk, caller: Callers) -> None:
    port = free_port()
    second = stack.start_process("web2", stack.web_command(port))
    try:
        client = caller()
        client.initialize()
        elsewhere = Caller(f"http://127.0.0.1:{port}/mcp", desk.key.key)
        elsewhere.http.headers["mcp-session-id"] = client.session
        wait_for(lambda: _answers(elsewhere), within_s=60)
        assert elsewhere.request("ping").json()["result"] == {}
        assert call(elsewhere, "fake-desk__echo").json()["result"]["content"]
        with followed(elsewhere) as events:
            assert client.http.delete(client.url).status_code == 200
            assert events.next() is None
        assert elsewhere.request("ping").status_code == 404
        elsewhere.http.close()
    finally:
        second.stop(timeout_s=10)


def _answers(client: Caller) -> bool:
    try:
        return client.request("ping").status_code == 200
    except httpx2.TransportError:  # it does not listen yet
        return False
