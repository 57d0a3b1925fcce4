"""What no sound client sends: it is refused, disturbs nobody, and leaves nothing behind."""

import json
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.assistants.mcp_endpoint.clients import STATELESS, Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.assistants.mcp_endpoint.events import followed, posted
from tests.stack import wait_for

Callers = Callable[..., Caller]
EVENTS = {"accept": "text/event-stream"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
def client(desk: Desk, caller: Callers) -> Caller:
    """A client with a session, at the assistant."""
    client = caller("/mcp/a/desk")
    client.initialize()
    return client


def answers(client: Caller) -> bool:
    return bool(client.request("ping").json() == {"jsonrpc": "2.0", "id": 1, "result": {}})


def test_a_session_says_nothing_in_the_stateless_era(client: Caller) -> None:
    stateless = {"mcp-protocol-version": STATELESS, "mcp-method": "tools/list"}
    refused = client.post({"method": "tools/list"}, **stateless)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)
    # The other way round: headers of the era of sessions, and a body of the other one.
    params = {"_meta": ENVELOPE}
    refused = client.post(
        {"method": "tools/list", "params": params}, **{"mcp-protocol-version": "2025-11-25"}
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32020)
    # Whole in itself: the session is not asked for.
    assert client.stateless("tools/list").json()["result"]["resultType"] == "complete"
    for method in ("GET", "DELETE"):
        assert client.http.request(method, client.url, headers=stateless).status_code == 405
    assert answers(client)


@pytest.mark.parametrize("rest", [b"x", b"{}", b'{"jsonrpc":"2.0","id":2,"method":"ping"}', b"\0", b"]"])
def test_what_follows_a_message_spoils_it(client: Caller, rest: bytes) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}' + rest
    answer = client.http.post(client.url, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)
    assert "id" not in answer.json()


@pytest.mark.parametrize(
    "message_id",
    ["1" + "0" * 400, "-1" + "0" * 400, "1e400", "1.5", "18446744073709551616", "true", "[1]"],
)
def test_an_id_that_is_no_usual_number_is_refused(client: Caller, message_id: str) -> None:
    body = f'{{"jsonrpc": "2.0", "id": {message_id}, "method": "ping"}}'
    answer = client.http.post(client.url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {-32700, -32600}
    assert answers(client)


@pytest.mark.parametrize("name", ["mcp-session-id", "authorization", "mcp-protocol-version", "x-anything"])
def test_a_huge_header_is_refused_or_means_nothing(client: Caller, name: str) -> None:
    answer = client.http.post(
        client.url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers={name: "x" * 200_000}
    )
    assert answer.status_code in ({200, 400, 431} if name == "x-anything" else {400, 401, 404, 431})
    assert answers(client)


def test_two_requests_of_the_same_id_get_their_own_answers(client: Caller) -> None:
    found: dict[int, object] = {}

    def call(number: int) -> None:
        params = {"name": "fake-desk__echo", "arguments": {"n": number}}
        answer = client.post({"method": "tools/call", "id": "same", "params": params}).json()
        found[number] = (answer["id"], answer["result"]["content"][0]["text"])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: ("same", json.dumps({"n": number})) for number in range(8)}


def test_what_is_cancelled_or_answered_without_a_question_is_nothing(client: Caller) -> None:
    for request_id in ("no-such", 7, None, {}, "x" * 10_000):
        message = {"method": "notifications/cancelled", "params": {"requestId": request_id}}
        assert client.post(message).status_code == 202
    for outcome in ({"result": {}}, {"error": {"code": 1, "message": "no"}}):
        assert client.post({"id": "ask-0", **outcome}).status_code == 202
        assert client.post({"id": 10**6, **outcome}).status_code == 202
    assert client.post({"id": 1, "result": 7}).status_code == 400
    assert answers(client)


def test_nobody_answers_or_cancels_for_another_session(client: Caller, caller: Callers) -> None:
    other = caller("/mcp/a/desk")
    other.initialize()
    params = {"name": "fake-desk__sleep", "arguments": {"s": 1.5}}
    with posted(client, {"method": "tools/call", "id": "mine", "params": params}) as events:
        assert (
            other.post({"method": "notifications/cancelled", "params": {"requestId": "mine"}}).status_code
            == 202
        )
        last = events.next()
        assert last is not None
        assert last["result"]["content"][0]["text"] == "slept"


def test_a_stream_wants_a_client_that_reads_events(client: Caller) -> None:
    assert client.http.get(client.url, headers={"accept": "application/json"}).status_code == 406
    assert client.http.get(client.url, headers={"accept": ""}).status_code == 406
    # Whoever accepts everything by saying nothing accepts events (RFC 9110, section 12.5.1).
    del client.http.headers["accept"]
    with client.http.stream("GET", client.url) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")


def test_of_two_streams_of_a_session_the_newer_one_is_told(client: Caller) -> None:
    with followed(client) as older, followed(client) as newer:
        assert older.next() is None
        assert client.http.delete(client.url).status_code == 200
        assert newer.next() is None


def test_a_session_ends_once(client: Caller) -> None:
    assert client.http.delete(client.url).status_code == 200
    assert client.http.delete(client.url).status_code == 404
    assert client.http.delete(client.url, headers={"mcp-session-id": "no-such"}).status_code == 404
    del client.http.headers["mcp-session-id"]
    assert client.http.delete(client.url).status_code == 400


def test_half_a_request_holds_nobody_up(client: Caller) -> None:
    where = urlsplit(client.url)
    names = ("authorization", "mcp-session-id")
    kept = "".join(f"{name}: {client.http.headers[name]}\r\n" for name in names)
    form = "Content-Type: application/json\r\nContent-Length: 1000\r\n"
    head = f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n{kept}{form}\r\n"
    halves = [socket.create_connection((where.hostname or "", where.port or 0)) for _ in range(20)]
    for half in halves:
        half.sendall(f'{head}{{"jsonrpc": "2.0"'.encode())
    wait_for(lambda: answers(client), within_s=30)
    for half in halves:
        half.close()
    assert answers(client)
