"""The stateless era: requests that say everything themselves, in the body as in the headers."""

import json
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.assistants.mcp_endpoint.clients import STATELESS, Caller
from tests.assistants.mcp_endpoint.conftest import Desk

Callers = Callable[..., Caller]
LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
OF_SESSIONS = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "no"]
VERSION = "io.modelcontextprotocol/protocolVersion"


def test_discovery_says_what_the_server_is(caller: Callers) -> None:
    answer = caller().stateless("server/discover")
    result = answer.json()["result"]
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers
    assert result["supportedVersions"] == [STATELESS]
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["resultType"] == "complete"
    assert result["cacheScope"] == "private"
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "mcp-connector"


def test_lists_have_the_order_of_the_server(desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/s/rich-desk", key=desk.manager.key)
    listed = client.stateless("resources/list").json()["result"]["resources"]
    assert [each["uri"] for each in listed][:2] == ["memo://today", "memo://picture"]


def test_nothing_is_left_of_what_the_server_says_of_itself(desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/s/rich-desk", key=desk.manager.key)
    prompt = client.stateless("prompts/get", header="greet", name="greet", arguments={"name": "Ada"})
    assert sorted(prompt.json()["result"]) == ["description", "messages", "resultType"]


@pytest.mark.parametrize(
    "method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
)
def test_lists_are_private_to_the_key(caller: Callers, method: str) -> None:
    result = caller().stateless(method).json()["result"]
    assert (result["resultType"], result["cacheScope"]) == ("complete", "private")
    assert isinstance(result["ttlMs"], int)


@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "no/such"],
)
def test_methods_of_the_era_of_sessions_are_not_found(caller: Callers, method: str) -> None:
    answer = caller().stateless(method)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == -32601
    assert answer.json()["id"] == 1


def test_an_envelope_must_be_complete(caller: Callers) -> None:
    client, headers = caller(), {"mcp-protocol-version": STATELESS, "mcp-method": "tools/list"}
    for params in ({}, {"_meta": {}}, {"_meta": {VERSION: STATELESS}}, {"_meta": 7}):
        answer = client.post({"method": "tools/list", "params": params}, **headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


def test_headers_must_agree_with_the_body(caller: Callers) -> None:
    client = caller()
    wrong = [
        {"mcp-protocol-version": "2025-11-25"},
        {"mcp-method": "prompts/list"},
        {"mcp-method": "TOOLS/LIST"},
        {"mcp-method": ""},
    ]
    for headers in wrong:
        sent = {"mcp-protocol-version": STATELESS, "mcp-method": "tools/list", **headers}
        meta = {VERSION: STATELESS, "io.modelcontextprotocol/clientCapabilities": {}}
        answer = client.post({"method": "tools/list", "params": {"_meta": meta}}, **sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


def test_the_name_in_the_header_must_be_that_of_the_tool(caller: Callers) -> None:
    client, tool = caller(), "fake-desk__echo"
    for header in ("", "fake-desk__nap", "=?base64?!?="):
        answer = client.stateless("tools/call", header=header, name=tool, arguments={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    for header in (tool, f"=?base64?{b64encode(tool.encode()).decode()}?="):
        assert client.stateless("tools/call", header=header, name=tool, arguments={}).status_code == 200


def test_a_version_that_is_not_spoken_is_refused_with_those_that_are(caller: Callers) -> None:
    meta = {VERSION: "2999-01-01", "io.modelcontextprotocol/clientCapabilities": {}}
    answer = caller().post(
        {"method": "tools/list", "params": {"_meta": meta}},
        **{"mcp-protocol-version": "2999-01-01", "mcp-method": "tools/list"},
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": [STATELESS], "requested": "2999-01-01"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_is_only_post(caller: Callers, method: str) -> None:
    client = caller()
    headers = {"mcp-protocol-version": STATELESS}
    answer = client.http.request(method, client.url, headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_notification_is_taken(caller: Callers) -> None:
    message = {"method": "notifications/cancelled", "params": {"requestId": 1}}
    assert caller().post(message, **{"mcp-protocol-version": STATELESS}).status_code == 202


def test_space_around_the_value_of_a_header_does_not_count(caller: Callers) -> None:
    client, tool = caller(), "fake-desk__echo"
    envelope = {VERSION: STATELESS, "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": tool, "arguments": {}, "_meta": envelope}
    headers = {
        **dict(client.http.headers),
        "content-type": "application/json",
        "mcp-protocol-version": STATELESS,
        "mcp-method": "tools/call",
        "mcp-name": f" \t{tool} \t ",
    }
    # Another client, because httpx refuses to send this.
    connection = HTTPConnection(urlsplit(client.url).netloc)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    connection.request("POST", "/mcp", json.dumps(message), headers)
    assert connection.getresponse().status == 200
    connection.close()
