"""The era of sessions: how one begins, what belongs to it, and how it ends."""

from collections.abc import Callable

import pytest

from tests.assistants.mcp_endpoint.clients import Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.stack import Stack

Callers = Callable[..., Caller]
VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_has_the_version_that_the_client_asks_for(caller: Callers, version: str) -> None:
    client = caller()
    answer = client.initialize(version)
    assert answer.status_code == 200
    assert answer.json()["result"]["protocolVersion"] == version
    assert answer.json()["result"]["serverInfo"]["name"] == "mcp-connector"
    assert client.post({"method": "notifications/initialized"}).status_code == 202
    assert client.request("ping").json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_an_unknown_version_gets_the_newest_with_sessions(caller: Callers) -> None:
    answer = caller().initialize("1999-12-31")
    assert answer.json()["result"]["protocolVersion"] == "2025-11-25"


def test_a_session_id_is_visible_ascii(caller: Callers) -> None:
    client = caller()
    client.initialize(
        elicitation={"form": {}, "url": {}}, sampling={"tools": {}}, roots={"listChanged": True}
    )
    assert client.session.isascii()
    assert client.session.isprintable()
    assert " " not in client.session
    assert len(client.session) < 1024


def test_without_a_session_a_request_is_refused(caller: Callers) -> None:
    answer = caller().request("tools/list")
    assert answer.status_code == 400
    assert "Mcp-Session-Id" in answer.json()["error"]["message"]


@pytest.mark.parametrize("session", ["", "no-such-session", "a.b", "x" * 5000])
def test_an_unknown_session_is_not_found(caller: Callers, session: str) -> None:
    client = caller()
    client.http.headers["mcp-session-id"] = session
    assert client.request("tools/list").status_code in {400, 404, 431}


def test_a_session_that_was_tampered_with_is_not_found(caller: Callers) -> None:
    client = caller()
    client.initialize()
    payload, _, signature = client.session.partition(".")
    for tampered in (f"A{payload[1:]}.{signature}", f"{payload}.{signature[:-1]}x", payload, f"{payload}."):
        client.http.headers["mcp-session-id"] = tampered
        assert client.request("ping").status_code == 404


def test_a_session_belongs_to_its_key_and_its_address(stack: Stack, desk: Desk, caller: Callers) -> None:
    client = caller()
    client.initialize()
    other = caller(key=stack.key("Another at the desk").key)
    elsewhere = caller("/mcp/a/desk")
    for stranger in (other, elsewhere):
        stranger.http.headers["mcp-session-id"] = client.session
        assert stranger.request("ping").status_code == 404


def test_a_session_that_was_deleted_has_ended(caller: Callers) -> None:
    client = caller()
    client.initialize()
    assert client.http.delete(client.url).status_code == 200
    assert client.request("ping").status_code == 404
    assert client.http.get(client.url, headers={"accept": "text/event-stream"}).status_code == 404


def test_a_version_that_does_not_exist_is_refused(caller: Callers) -> None:
    client = caller()
    client.initialize()
    assert client.post({"method": "ping"}, **{"mcp-protocol-version": "1999-12-31"}).status_code == 400
    assert client.post({"method": "ping"}, **{"mcp-protocol-version": "2025-06-18"}).status_code == 200


def test_a_method_of_the_other_era_is_not_found(caller: Callers) -> None:
    client = caller()
    client.initialize()
    for method in ("server/discover", "subscriptions/listen", "no/such"):
        error = client.request(method).json()["error"]
        assert error["code"] == -32601


def test_a_level_of_the_log_is_set(caller: Callers) -> None:
    client = caller()
    client.initialize()
    assert client.request("logging/setLevel", level="debug").json()["result"] == {}
    assert client.request("logging/setLevel", level="loud").json()["error"]["code"] == -32602


def test_a_list_has_pages_by_cursors_of_its_own(caller: Callers) -> None:
    client = caller()
    client.initialize()
    for cursor in ("", "nonsense", 7, "ZnJvbTo5OTk5OQ=="):
        error = client.request("tools/list", cursor=cursor).json()["error"]
        assert error["code"] == -32602


def test_many_sessions_leave_nothing_behind(caller: Callers) -> None:
    client = caller()
    names = {client.initialize().headers["mcp-session-id"] for _ in range(50)}
    assert len(names) == 50
