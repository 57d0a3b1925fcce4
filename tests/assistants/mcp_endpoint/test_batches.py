"""Batches of messages, which sessions of 2025-03-26 may send, and no others."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.assistants.mcp_endpoint.clients import STATELESS, Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.assistants.mcp_endpoint.events import Events
from tests.stack import Stack

Callers = Callable[..., Caller]
Message = dict[str, Any]
CANCEL = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}}


@pytest.fixture
def client(desk: Desk, caller: Callers) -> Caller:
    client = caller("/mcp/a/desk")
    client.initialize("2025-03-26")
    return client


def request(message_id: int | str, method: str = "ping", **params: Any) -> Message:
    return {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}


def call(message_id: int | str, tool: str, **arguments: Any) -> Message:
    return request(message_id, "tools/call", name=tool, arguments=arguments)


def post(client: Caller, batch: Any, **headers: str) -> httpx2.Response:
    return client.http.post(client.url, json=batch, headers=headers)


def outcomes(answer: httpx2.Response) -> dict[Any, Message]:
    """What a JSON array answers, by the ids of the requests."""
    assert answer.status_code == 200, answer.text
    answers = answer.json()
    assert isinstance(answers, list)
    return {each.get("id"): each for each in answers}


def refusal(answer: httpx2.Response) -> str:
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    return str(answer.json()["error"]["message"])


def test_each_request_of_a_batch_is_answered(client: Caller) -> None:
    batch = [request(1), CANCEL, request("1", "tools/list"), call(2, "fake-desk__echo")]
    found = outcomes(post(client, batch))
    assert found.keys() == {1, "1", 2}
    assert found[1]["result"] == {}
    assert found["1"]["result"]["tools"]
    assert found[2]["result"]["content"]


def test_a_message_that_is_wrong_does_not_hurt_the_others(client: Caller) -> None:
    wrong = [request(1, "no/such"), call(2, "no_such"), call(3, "fake-desk__fail")]
    wrong.append(request(4, "resources/read"))
    none = [1, {"jsonrpc": "1.0", "id": 5, "method": "ping"}, {"id": [1]}, []]
    answers = post(client, [*wrong, *none, call(6, "fake-desk__echo")]).json()
    found = {each["id"]: each for each in answers if "id" in each}
    assert [found[number]["error"]["code"] for number in (1, 2, 4)] == [-32601, -32602, -32602]
    assert found[3]["result"]["isError"] is True
    assert found[6]["result"]["content"]
    assert [each["error"]["code"] for each in answers if "id" not in each] == [-32600] * 4


def test_what_needs_no_answer_gets_none(client: Caller) -> None:
    answer = post(client, [CANCEL, {"jsonrpc": "2.0", "id": "ask-none", "result": {}}])
    assert (answer.status_code, answer.content) == (202, b"")


def test_progress_comes_before_the_answers_on_one_stream(client: Caller) -> None:
    batch = [request(1), progressing(2), progressing(3)]
    with client.http.stream("POST", client.url, json=batch) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events, told = Events(response), []
        while (message := events.next()) is not None:
            told.append(message)
    tokens = {each["params"]["progressToken"] for each in told if "method" in each}
    assert tokens == {"token 2", "token 3"}
    assert {each["id"] for each in told if "id" in each} == {1, 2, 3}


def progressing(number: int) -> Message:
    message = call(number, "fake-desk__storm", s=0.3)
    message["params"]["_meta"] = {"progressToken": f"token {number}"}
    return message


def test_a_request_of_a_batch_is_cancelled_alone(desk: Desk, client: Caller) -> None:
    batch = [request(1), call("long", "fake-desk__sleep", s=30), progressing(2)]
    with client.http.stream("POST", client.url, json=batch) as response:
        events = Events(response)
        events.until("notifications/progress")
        client.post({"method": "notifications/cancelled", "params": {"requestId": "long"}})
        ids = []
        while (message := events.next()) is not None:
            ids += [message["id"]] if "id" in message else []
    assert sorted(ids) == [1, 2]


def test_each_call_counts_in_the_limits(stack: Stack, desk: Desk, caller: Callers) -> None:
    key = stack.key("Batches a little", can_manage=True, requests_per_minute=3).key
    client = caller("/mcp/s/fake-desk", key=key)
    client.initialize("2025-03-26")
    found = outcomes(post(client, [call(number, "echo") for number in range(5)]))
    assert sum("result" in each for each in found.values()) == 3
    assert sum("error" in each for each in found.values()) == 2


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
def test_other_versions_have_no_batches(caller: Callers, version: str) -> None:
    client = caller()
    client.initialize(version)
    assert "2025-03-26" in refusal(post(client, [request(1)]))


def test_without_a_session_there_are_no_batches(client: Caller) -> None:
    stateless = {"mcp-protocol-version": STATELESS, "mcp-method": "ping"}
    assert "2025-03-26" in refusal(post(client, [request(1)], **stateless))
    del client.http.headers["mcp-session-id"]
    assert "2025-03-26" in refusal(post(client, [request(1)]))
    assert post(client, [request(1)], **{"mcp-session-id": "none"}).status_code == 404


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        ([], "from 1 to 50"),
        ([request(number) for number in range(51)], "from 1 to 50"),
        ([request(1), request(2, "initialize")], "initialize"),
        ([request(1), request(2), request(1)], "the same id"),
    ],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(client: Caller, batch: Any, told: str) -> None:
    assert told in refusal(post(client, batch))


@pytest.mark.parametrize("body", ["[", '[{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "ping"}]', "[1]x"])
def test_what_cannot_be_read_for_sure_is_refused(client: Caller, body: str) -> None:
    answer = client.http.post(client.url, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)
    assert json.loads(answer.text)["error"]["message"]
