"""Updates of resources, told to those who follow them."""

import queue
import time
from collections.abc import Callable

import pytest

from config.runner.network import free_port
from tests.assistants.mcp_endpoint.clients import STATELESS, Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.assistants.mcp_endpoint.events import Events, followed, posted
from tests.assistants.mcp_endpoint.test_streams import LISTEN_HEADERS
from tests.stack import SERVERS, Stack, readiness, wait_for

Callers = Callable[..., Caller]
ASKING = "/mcp/s/asking-desk"


@pytest.fixture(scope="module", autouse=True)
def asking(stack: Stack, desk: Desk) -> None:
    stack.server("Asking desk", args=[str(SERVERS / "asking.py")])


@pytest.fixture
def client(desk: Desk, caller: Callers) -> Caller:
    client = caller(ASKING, key=desk.manager.key)
    client.initialize()
    return client


def updated(client: Caller, events: Events, uri: str) -> dict[str, object]:
    """Has the server report an update, and returns what the client is told."""
    client.request("tools/call", name="touch", arguments={"uri": uri})
    return events.until("notifications/resources/updated", within_s=10)


def subscribed(client: Caller) -> str:
    """The URIs that the server has subscriptions for."""
    answer = client.request("tools/call", name="subscribed", arguments={}).json()
    return str(answer["result"]["content"][0]["text"])


def test_a_session_is_told_of_the_resources_that_it_follows(client: Caller) -> None:
    assert client.request("resources/subscribe", uri="memo://first").json()["result"] == {}
    with followed(client) as events:
        # It is followed a moment after the stream has begun.
        wait_for(lambda: "memo://first" in subscribed(client), within_s=20)
        assert updated(client, events, "memo://first")["params"] == {"uri": "memo://first"}
        # While the stream is open, it is followed once that is answered.
        client.request("resources/subscribe", uri="memo://second")
        assert updated(client, events, "memo://second")["params"] == {"uri": "memo://second"}
        assert client.request("resources/unsubscribe", uri="memo://second").json()["result"] == {}
        time.sleep(1)
        while True:  # what came before it was unsubscribed
            try:
                events.next(within_s=0.2)
            except queue.Empty:
                break
        client.request("tools/call", name="touch", arguments={"uri": "memo://second"})
        with pytest.raises(queue.Empty):
            events.next(within_s=1)


def test_a_subscription_at_another_process_is_answered_once_the_stream_follows(
    stack: Stack, desk: Desk, client: Caller
) -> None:
    port = free_port()
    second = stack.start_process("web4", stack.web_command(port))
    try:
        wait_for(lambda: readiness(f"http://127.0.0.1:{port}") == "ok", within_s=60)
        elsewhere = Caller(f"http://127.0.0.1:{port}{ASKING}", desk.manager.key)
        elsewhere.http.headers["mcp-session-id"] = client.session
        with followed(client) as events:
            for number in range(5):
                uri = f"memo://elsewhere/{number}"
                assert elsewhere.request("resources/subscribe", uri=uri).json()["result"] == {}
                assert updated(client, events, uri)["params"] == {"uri": uri}
        elsewhere.http.close()
    finally:
        second.stop(timeout_s=10)


def test_a_listener_is_told_of_the_resources_that_it_names(client: Caller) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"notifications": {"resourceSubscriptions": ["memo://third", 7, "no uri"]}, "_meta": meta}
    message = {"method": "subscriptions/listen", "id": 12, "params": params}
    with posted(client, message, **LISTEN_HEADERS) as events:
        first = events.next()
        assert first is not None
        assert first["params"]["notifications"] == {"resourceSubscriptions": ["memo://third"]}
        told = updated(client, events, "memo://third")["params"]
        assert told == {"uri": "memo://third", "_meta": {"io.modelcontextprotocol/subscriptionId": 12}}


def test_capabilities_say_whether_resources_can_be_followed(desk: Desk, caller: Callers) -> None:
    def resources(path: str) -> object:
        answer = caller(path, key=desk.manager.key).initialize()
        return answer.json()["result"]["capabilities"]["resources"]

    assert resources(ASKING) == {"listChanged": True, "subscribe": True}
    assert resources("/mcp/s/fake-desk") == {"listChanged": True}


def test_a_server_that_does_not_tell_is_not_followed(desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/s/fake-desk", key=desk.manager.key)
    client.initialize()
    assert client.request("resources/subscribe", uri="memo://first").json()["error"]["code"] == -32601


def test_a_session_follows_no_more_than_a_hundred(client: Caller) -> None:
    for number in range(100):
        assert "result" in client.request("resources/subscribe", uri=f"memo://{number}").json()
    assert client.request("resources/subscribe", uri="memo://more").json()["error"]["code"] == -32602
