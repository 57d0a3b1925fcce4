"""Who may use what of the endpoint: keys, addresses, origins; and bodies that are no messages."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from assistants.actions.tool_uses import ToolUse
from config.runner.network import free_port
from tests.assistants.mcp_endpoint.clients import JSON_AND_EVENTS, Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.stack import Stack, readiness, wait_for

Callers = Callable[..., Caller]
ISSUERS = ["https://login.example.org", "https://other.example.org/tenant"]


def test_without_a_key_the_answer_says_how_to_authenticate(caller: Callers) -> None:
    answer = caller(key="").initialize()
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert "resource_metadata" not in challenge
    assert "x-request-id" in answer.headers


def test_a_wrong_key_is_refused(caller: Callers) -> None:
    assert caller(key="ak-123456-nonsense").initialize().status_code == 401


def test_without_an_authorization_server_there_is_no_metadata(caller: Callers, desk: Desk) -> None:
    client = caller(key="")
    for path in ("", "/mcp", "/mcp/a/desk"):
        url = f"{desk.url}/.well-known/oauth-protected-resource{path}"
        assert client.http.get(url).status_code == 404


@pytest.fixture(scope="module", params=["", "https://mcp.example.org"])
def logins(stack: Stack, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A web process that sends clients to authorization servers: its own URL, and the public one."""
    port = free_port()
    settings = {"MCP_AUTHORIZATION_SERVERS": ",".join(ISSUERS), "PUBLIC_URL": request.param}
    process = stack.start_process("logins", stack.web_command(port), **settings)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: readiness(url) == "ok", within_s=60)
        yield url, request.param or url
    finally:
        process.stop(timeout_s=10)


@pytest.mark.parametrize("path", ["/mcp", "/mcp/a/desk", "/mcp/s/fake-desk"])
def test_clients_are_sent_to_the_authorization_servers(logins: tuple[str, str], path: str) -> None:
    """RFC 9728, sections 3.1, 3.2 and 5.1."""
    url, public_url = logins
    refusal = httpx2.post(f"{url}{path}", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert refusal.status_code == 401
    named = f"/.well-known/oauth-protected-resource{path}"
    assert f'resource_metadata="{public_url}{named}"' in refusal.headers["www-authenticate"]
    assert httpx2.get(f"{url}{named}").json() == metadata(f"{public_url}{path}")


def test_the_metadata_of_the_whole_host_is_of_all_that_a_key_reaches(logins: tuple[str, str]) -> None:
    url, public_url = logins
    answer = httpx2.get(f"{url}/.well-known/oauth-protected-resource")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == metadata(f"{public_url}/mcp")


@pytest.mark.parametrize("path", ["/", "/x", "/api/v1", "/mcp/x", "/mcp/a", "/mcp/a/desk/more"])
def test_what_is_no_endpoint_has_no_metadata(logins: tuple[str, str], path: str) -> None:
    assert httpx2.get(f"{logins[0]}/.well-known/oauth-protected-resource{path}").status_code == 404


def metadata(resource: str) -> dict[str, Any]:
    servers = {"authorization_servers": ISSUERS, "bearer_methods_supported": ["header"]}
    return {"resource": resource, **servers}


@pytest.mark.parametrize("path", ["/mcp/a/no-such", "/mcp/s/no-such", "/mcp/x", "/mcp/a", "/mcp/a/desk/more"])
def test_an_address_that_is_not_there_is_not_found(caller: Callers, path: str) -> None:
    answer = caller(path).initialize()
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == -32000


def test_a_key_reaches_the_servers_of_its_assistants_alone(stack: Stack, desk: Desk, caller: Callers) -> None:
    stranger = stack.key("Knows nobody")
    assert "result" in caller("/mcp/s/fake-desk").initialize().json()
    for path in ("/mcp/s/fake-desk", "/mcp/a/desk"):
        assert caller(path, key=stranger.key).initialize().status_code == 404
    nothing = caller(key=stranger.key)
    nothing.initialize()
    assert nothing.request("tools/list").json()["result"] == {"tools": []}


def test_a_narrowed_server_shows_the_granted_tools_alone(stack: Stack, desk: Desk, caller: Callers) -> None:
    key = stack.key("Knows one tool")
    uses = ToolUse(desk.rich, functions=["grow"]), ToolUse(desk.fake, functions=["echo"])
    stack.assistant("narrowed", *uses, keys=(key,))
    client = caller(key=key.key)
    client.initialize()
    names = [tool["name"] for tool in client.request("tools/list").json()["result"]["tools"]]
    assert names == ["fake-desk__echo", "rich-desk__grow"]
    assert client.request("prompts/list").json()["result"] == {"prompts": []}
    assert client.request("resources/list").json()["result"] == {"resources": []}
    assert "error" in client.request("resources/read", uri="memo://today").json()
    alone = caller("/mcp/s/fake-desk", key=key.key)
    alone.initialize()
    assert [tool["name"] for tool in alone.request("tools/list").json()["result"]["tools"]] == ["echo"]
    assert "error" in alone.request("tools/call", name="weigh", arguments={"thing": "x"}).json()


def test_a_key_that_may_only_manage_calls_servers_and_no_assistants(desk: Desk, caller: Callers) -> None:
    manager = desk.manager.key
    assert "result" in caller("/mcp/s/rich-desk", key=manager).initialize().json()
    for path in ("/mcp", "/mcp/a/desk"):
        assert caller(path, key=manager).initialize().status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://", "http://["]
)
def test_pages_of_other_sites_are_refused(caller: Callers, origin: str) -> None:
    assert caller(origin=origin).initialize().status_code == 403


def test_pages_of_a_listed_origin_may_ask(caller: Callers) -> None:
    answer = caller(origin="http://localhost:3000").initialize()
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "mcp-session-id" in answer.headers["access-control-expose-headers"].lower()


def test_a_browser_may_ask_before_it_asks(caller: Callers) -> None:
    client = caller(key="", origin="http://localhost:3000")
    wanted = "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method"
    headers = {"access-control-request-method": "POST", "access-control-request-headers": wanted}
    answer = client.http.request("OPTIONS", client.url, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-headers"] == wanted


def test_a_host_that_is_not_ours_is_refused(caller: Callers) -> None:
    assert caller(host="evil.example.com", origin="http://evil.example.com").initialize().status_code == 403


DEEP = '{"a":' * 5000 + "1" + "}" * 5000
BODIES: list[tuple[str, str, int]] = [
    ("garbage", "{", 400),
    ("a batch", '[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', 400),
    ("a text", '"ping"', 400),
    ("no version", '{"id": 1, "method": "ping"}', 400),
    ("a wrong version", '{"jsonrpc": "1.0", "id": 1, "method": "ping"}', 400),
    ("a number as method", '{"jsonrpc": "2.0", "id": 1, "method": 7}', 400),
    ("null as id", '{"jsonrpc": "2.0", "id": null, "method": "ping"}', 400),
    ("an object as id", '{"jsonrpc": "2.0", "id": {}, "method": "ping"}', 400),
    ("a list as params", '{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', 400),
    ("a key twice", '{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/list"}', 400),
    ("another case", '{"jsonrpc": "2.0", "id": 1, "method": "ping", "Method": "tools/list"}', 400),
    (
        "deep nesting",
        '{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": ' + '{"a":' * 5000 + "1" + "}" * 5001,
        400,
    ),
]


@pytest.mark.parametrize(("what", "body", "status"), BODIES, ids=[each[0] for each in BODIES])
def test_a_body_that_is_no_message_is_refused(caller: Callers, what: str, body: str, status: int) -> None:
    client = caller()
    client.initialize()
    answer = client.http.post(client.url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, what
    assert answer.json()["error"]["code"] in {-32700, -32600}


def test_a_body_that_is_too_large_is_refused(caller: Callers) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y" * 5_000_000}})
    client = caller()
    answer = client.http.post(client.url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert "error" in answer.json()
    assert answer.json()["jsonrpc"] == "2.0"


def test_what_the_client_does_not_accept_is_not_sent(caller: Callers) -> None:
    client = caller()
    client.initialize()
    assert client.post({"method": "ping"}, accept="text/html").status_code == 406
    assert client.post({"method": "ping"}, accept="application/json").status_code == 406
    assert client.post({"method": "ping"}, accept=JSON_AND_EVENTS).status_code == 200
    assert client.post({"method": "ping"}, accept="*/*").status_code == 200


def test_a_body_of_another_type_is_refused(caller: Callers) -> None:
    client = caller()
    answer = client.http.post(client.url, content="{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
