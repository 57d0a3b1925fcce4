"""Updates of resources, told to those who follow them."""

import queue
import time
from collections.abc import Callable

import pytest

from tests.assistants.mcp_endpoint.clients import STATELESS, Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.assistants.mcp_endpoint.events import Events, followed, posted
from tests.assistants.mcp_endpoint.test_streams import LISTEN_HEADERS
from tests.stack import SERVERS, Stack

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
    """Has the server report an update until the client is told: following begins a moment later."""
    for _ in range(40):
        client.request("tools/call", name="touch", arguments={"uri": uri})
        try:
            return events.until("notifications/resources/updated", within_s=0.5)
        except queue.Empty:
            continue
    raise AssertionError(f"Nobody said that {uri} was updated.")


def test_a_session_is_told_of_the_resources_that_it_follows(client: Caller) -> None:
    assert client.request("resources/subscribe", uri="memo://first").json()["result"] == {}
    with followed(client) as events:
        assert updated(client, events, "memo://first")["params"] == {"uri": "memo://first"}
        # Followed while the stream is open, too.
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
