"""A script with `requests` alone: from the first managing key to an answered chat, and back."""

from typing import Any

import pytest
import requests

from tests.stack import Stack, wait_for


class Api:
    """The management API, as a script calls it."""

    def __init__(self, stack: Stack, key: str) -> None:
        self._url = f"{stack.url}/api/v1"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def __call__(self, method: str, path: str, expect: int = 200, **body: Any) -> Any:
        response = self._session.request(method, self._url + path, json=body or None, timeout=20)
        assert response.status_code == expect, (method, path, response.status_code, response.text)
        return response.json() if response.content else None


@pytest.fixture(scope="module")
def api(stack: Stack) -> Api:
    return Api(stack, stack.key("first", can_manage=True).key)


def registered_server(api: Api) -> dict[str, Any]:
    """A real one, running, with a secret."""
    server = api(
        "POST",
        "/mcp-tools",
        201,
        name="Clock of the walk",
        connection_type="stdio",
        command="mcp-server-time",
        env={"TOKEN": "canary-9c1"},
    )
    assert server["env"] == {"TOKEN": "********"}
    wait_for(lambda: api("GET", f"/mcp-tools/{server['id']}")["status"] == "running", within_s=60)
    names = [function["name"] for function in api("GET", f"/mcp-tools/{server['id']}/functions")]
    assert "get_current_time" in names
    return dict(server)


def test_from_the_first_managing_key_to_an_answered_chat(stack: Stack, api: Api) -> None:
    assert api("GET", "/me")["name"] == "first"
    server = registered_server(api)
    wanted = {
        "name": "Clerk of the walk",
        "slug": "a-clerk",
        "model": "a-clerk",
        "mcp_tool_ids": [server["id"]],
    }
    assistant = api("POST", "/assistants", 201, **wanted)
    caller = api("POST", "/api-keys", 201, name="walking caller", assistant_ids=[assistant["id"]])
    access = api("GET", f"/api-keys/{caller['id']}/access")
    assert access[0]["assistant"]["slug"] == "a-clerk"  # by slug, of all that others made
    assert access[0]["is_reachable"] is True

    call = {"name": "clock-of-the-walk__get_current_time", "arguments": {"timezone": "Asia/Shanghai"}}
    stack.llm.script("a-clerk", {"tool_calls": [call]}, {"text": "It is late."})
    answer = requests.post(
        f"{stack.url}/v1/chat/completions",
        headers={"Authorization": f"Bearer {caller['key']}"},
        json={"model": "a-clerk", "messages": [{"role": "user", "content": "What time is it?"}]},
        timeout=20,
    ).json()
    assert answer["choices"][0]["message"]["content"] == "It is late."
    assert "Asia/Shanghai" in str(stack.llm.bodies("a-clerk")[-1]["messages"][-1])

    wait_for(lambda: api("GET", "/runs?assistant=a-clerk"), within_s=30)
    (run,) = api("GET", "/runs?assistant=a-clerk")
    traced = api("GET", f"/runs/{run['id']}")
    assert [call["function"] for call in traced["tool_calls"]] == ["get_current_time"]
    assert api("GET", "/usage")
    assert "canary-9c1" not in str(api("GET", "/audit?limit=200"))

    refused = api("DELETE", f"/mcp-tools/{server['id']}", 409)
    assert "clerk" in str(refused).lower()
    api("DELETE", f"/api-keys/{caller['id']}", 204)
    api("DELETE", f"/assistants/{assistant['id']}", 204)
    api("DELETE", f"/mcp-tools/{server['id']}", 204)
    assert api("GET", f"/runs/{run['id']}")["assistant"]["slug"] == "a-clerk"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api-keys/999999", 404),
        ("GET", "/api-keys/99999999999999999999", 404),
        ("GET", "/mcp-tools/no-such", 404),
        ("DELETE", "/api-keys", 405),
        ("GET", "/api-keys?limit=-1", 422),
    ],
)
def test_every_refusal_has_the_envelope(api: Api, method: str, path: str, status: int) -> None:
    body = api(method, path, status)
    assert body["success"] is False
    assert body["error"]["status_code"] == status
    assert body["error"]["details"]["request_id"].startswith("req_")


def test_a_management_path_outside_the_api_has_the_envelope(stack: Stack) -> None:
    body = requests.get(f"{stack.url}/api/nothing", timeout=20).json()
    assert (body["success"], body["error"]["status_code"]) == (False, 404)


def test_the_documentation_is_served_by_us(stack: Stack) -> None:
    page = requests.get(f"{stack.url}/api/docs", timeout=20)
    assert page.status_code == 200
    assert "cdn" not in page.text
    assert requests.get(f"{stack.url}/api/schema", timeout=20).status_code == 200
