"""Running servers over the real API: the web and the workers are processes of their own."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from assistants.models import Effect, Rule
from connector.process.orphans import marked_processes
from tests.connector.session.test_transports import Remote
from tests.stack import SERVERS, Stack, wait_for
from tools.models import MCPTool, Status

PATH = "/api/v1/mcp-tools"
FAKE = str(SERVERS / "fake.py")
CANARY = "canary-5f1c-canary"
CANDIDATE: dict[str, Any] = {"connection_type": "stdio", "command": sys.executable, "args": [FAKE]}


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    key = stack.key("connector-api", can_manage=True).key
    with httpx.Client(
        base_url=stack.url + PATH, headers={"Authorization": f"Bearer {key}"}, timeout=30
    ) as client:
        yield client


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Api fake", env={"SECRET_OF_IT": CANARY})


def connection_tests_left() -> list[Any]:
    return [process for process in marked_processes() if process.server.startswith("test.")]


# --- calls ----------------------------------------------------------------------------------------------


def test_a_tool_is_called(api: httpx.Client, fake: MCPTool) -> None:
    response = api.post("/api-fake/functions/echo/call", json={"arguments": {"a": "ä\u2028"}})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer.pop("duration_ms") >= 0
    assert answer == {
        "content": [{"type": "text", "text": '{"a": "\\u00e4\\u2028"}'}],
        "structured_content": None,
        "is_error": False,
    }


def test_a_call_obeys_the_masks_of_its_key(stack: Stack, fake: MCPTool) -> None:
    issued = stack.key("masked caller", can_manage=True)
    with stack.database():
        Rule.objects.create(
            name="No cards", effect=Effect.MASK, mask=["$.card"], scope=Rule.Scope.KEY, api_key=issued.api_key
        )
    headers = {"Authorization": f"Bearer {issued.key}"}
    sent = {"arguments": {"card": "4111", "to": "ann"}}
    url = f"{stack.url}{PATH}/api-fake/functions/echo/call"
    answer = httpx.post(url, json=sent, headers=headers, timeout=30).json()
    assert answer["content"] == [{"type": "text", "text": '{"card": "[masked]", "to": "ann"}'}]


def test_wrong_arguments_are_refused_at_their_path(api: httpx.Client, stack: Stack) -> None:
    stack.server("Api picky", "picky")
    wrong = {"$filter": [{"id": 1}, {"id": "x"}], "limit": 500}
    response = api.post("/api-picky/functions/find/call", json={"arguments": wrong})
    assert response.status_code == 422, response.text
    fields = response.json()["error"]["details"]["fields"]
    assert fields.keys() == {"arguments.$filter[1].id", "arguments.limit"}
    assert fields["arguments.$filter[1].id"] == ['expected integer, got string "x".']
    mended = api.post("/api-picky/functions/find/call", json={"arguments": {"$filter": '[{"id": "1"}]'}})
    assert '{"$filter": [{"id": 1}]}' in mended.json()["content"][0]["text"]


def test_a_tool_that_fails_answers_is_error(api: httpx.Client, fake: MCPTool) -> None:
    assert api.post("/api-fake/functions/fail/call", json={}).json()["is_error"] is True


def test_a_call_ends_at_its_deadline(api: httpx.Client, fake: MCPTool) -> None:
    began = time.monotonic()
    response = api.post("/api-fake/functions/sleep/call", json={"arguments": {"s": 30}, "timeout_s": 0.5})
    assert (response.status_code, response.json()["error"]["type"]) == (504, "tool_timeout")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/api-fake/functions/nothing/call", {}, "not_found"),
        ("/nobody/functions/echo/call", {}, "not_found"),
        ("/api-fake/functions/echo/call", {"arguments": []}, "validation_error"),
        ("/api-fake/functions/echo/call", {"arguments": {}, "timeout_s": 1e9}, "validation_error"),
        ("/api-fake/functions/echo/call", {"argumentz": {}}, "validation_error"),
    ],
)
def test_a_bad_call_is_refused(api: httpx.Client, fake: MCPTool, path: str, body: Any, kind: str) -> None:
    response = api.post(path, json=body)
    assert response.status_code == {"not_found": 404, "validation_error": 422}[kind]
    assert response.json()["error"]["type"] == kind


def test_a_stopped_server_is_unavailable_with_a_reason(api: httpx.Client, stack: Stack) -> None:
    server = stack.server("Api stopped")
    assert api.post("/api-stopped/stop").status_code == 202
    stack.wait_for_status(server, Status.STOPPED)
    response = api.post("/api-stopped/functions/echo/call", json={})
    assert (response.status_code, response.json()["error"]["type"]) == (503, "server_unavailable")
    assert "stopped" in response.json()["error"]["message"]
    assert response.headers["Retry-After"]


# --- lifecycle and instances ----------------------------------------------------------------------------


def test_instances_show_the_worker_and_the_state(api: httpx.Client, fake: MCPTool) -> None:
    (instance,) = api.get("/api-fake/instances").json()
    assert (instance["slot"], instance["state"], instance["node"]) == (0, "ready", "mcp@journeys")
    assert instance["pid"] > 0
    assert instance["restarts"] == 0
    assert instance["last_healthy_at"] >= instance["started_at"]


def test_a_restart_starts_a_new_process(api: httpx.Client, stack: Stack) -> None:
    stack.server("Api restarted")
    before = api.get("/api-restarted/instances").json()[0]["pid"]
    assert api.post("/api-restarted/restart").status_code == 202
    wait_for(lambda: api.get("/api-restarted/instances").json()[0]["pid"] not in {before, None}, within_s=10)


def test_a_crash_is_shown_with_its_reason(api: httpx.Client, stack: Stack) -> None:
    stack.server("Api crashed")
    response = api.post("/api-crashed/functions/crash/call", json={"arguments": {"code": 9}})
    assert (response.status_code, response.json()["error"]["type"]) == (503, "server_restarting")
    wait_for(lambda: api.get("/api-crashed/instances").json()[0]["last_exit"], within_s=10)
    last_exit = api.get("/api-crashed/instances").json()[0]["last_exit"]
    assert (last_exit["code"], last_exit["class"]) == (9, "crashed")
    assert last_exit["remedy"]


def test_a_refresh_lists_the_tools_again(api: httpx.Client, fake: MCPTool) -> None:
    response = api.post("/api-fake/refresh")
    assert (response.status_code, response.json()["slug"]) == (202, "api-fake")
    assert api.post("/nobody/refresh").status_code == 404


# --- connection tests -----------------------------------------------------------------------------------


def test_an_unsaved_server_is_tested_and_nothing_is_stored(api: httpx.Client, stack: Stack) -> None:
    before = api.get(stack.url + PATH).headers["X-Total-Count"]
    tested = api.post("/test", json=CANDIDATE).json()
    assert (tested["ok"], tested["error"], tested["protocol_version"]) == (True, None, "2025-06-18")
    assert "echo" in {function["name"] for function in tested["functions"]}
    assert api.get(stack.url + PATH).headers["X-Total-Count"] == before
    wait_for(lambda: not connection_tests_left(), within_s=30)


@pytest.mark.parametrize("connection_type", ["sse", "streamable_http"])
def test_an_unsaved_remote_server_is_tested(
    api: httpx.Client, remote: Callable[[str], str], connection_type: str
) -> None:
    tested = api.post(
        "/test", json={"connection_type": connection_type, "url": remote(connection_type)}
    ).json()
    assert tested["error"] is None
    assert {"add", "slow"} <= {function["name"] for function in tested["functions"]}


def test_a_registered_server_is_tested_with_the_changes_in_the_body(api: httpx.Client, fake: MCPTool) -> None:
    pid = api.get("/api-fake/instances").json()[0]["pid"]
    assert api.post("/api-fake/test", json={}).json()["ok"] is True
    tried = api.post(
        "/api-fake/test", json={"args": [FAKE, "broken-tool"], "env": {"SECRET_OF_IT": "********"}}
    )
    assert "broken" in tried.json()["complaint"]
    assert api.get("/api-fake").json()["args"] == [FAKE]
    assert api.get("/api-fake/instances").json()[0]["pid"] == pid


@pytest.mark.parametrize(
    ("changes", "exit_class"),
    [
        ({"command": "no-such-command", "args": []}, "missing_binary"),
        ({"args": [FAKE, "silent-end"]}, "crashed"),
        ({"args": [FAKE, "needs-key"]}, "missing_variable"),
        ({"args": [FAKE, "mute"], "timeouts": {"start_s": 1}}, "start_timeout"),
        ({"connection_type": "sse", "url": "http://127.0.0.1:9/sse"}, "unreachable"),
    ],
)
def test_a_failed_test_answers_its_reason(
    api: httpx.Client, changes: dict[str, Any], exit_class: str
) -> None:
    tested = api.post("/test", json={**CANDIDATE, **changes}).json()
    assert (tested["ok"], tested["error"]["class"]) == (False, exit_class)
    assert tested["error"]["remedy"]
    wait_for(lambda: not connection_tests_left(), within_s=30)


def test_a_server_that_ends_at_an_unknown_request_is_tested_the_older_way(api: httpx.Client) -> None:
    assert api.post("/test", json={**CANDIDATE, "args": [FAKE, "modern-dies"]}).json()["ok"] is True


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"command": "bash"}, "command"),
        ({"env": {"LD_PRELOAD": "/tmp/x.so"}}, "env"),
        ({"connection_type": "sse", "url": "http://169.254.169.254/"}, "url"),
        ({"connection_type": "sse", "url": "http://127.0.0.1:1/"}, "url"),
        ({"connection_type": "telepathy"}, "connection_type"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_may_not_be_saved_may_not_be_tested(
    api: httpx.Client, changes: dict[str, Any], field: str
) -> None:
    response = api.post("/test", json={**CANDIDATE, **changes})
    assert response.status_code == 422, response.text
    assert list(response.json()["error"]["details"]["fields"]) == [field]


def test_a_secret_that_the_server_prints_is_masked(api: httpx.Client, stack: Stack) -> None:
    """In the last lines of its standard error, in a connection test and when it runs."""
    loud = {
        **CANDIDATE,
        "args": ["-c", "import os, sys; sys.exit('no luck with ' + os.environ['API_TOKEN'])"],
        "env": {"API_TOKEN": CANARY},
    }
    tried = api.post("/test", json=loud)
    assert tried.json()["stderr_tail"] == "no luck with ********\n"
    created = api.post(stack.url + PATH, json={**loud, "name": "Api loud"})
    assert created.status_code == 201, created.text
    wait_for(lambda: api.get("/api-loud/instances").json()[0:1] and stderr(api), within_s=10)
    assert "no luck with" in stderr(api)
    assert CANARY not in tried.text + api.get("/api-loud").text + api.get("/api-loud/instances").text
    assert CANARY not in stack.log("mcp") + stack.log("web")
    api.delete("/api-loud")


def stderr(api: httpx.Client) -> str:
    return str(api.get("/api-loud/instances").json()[0]["stderr_tail"])


@pytest.mark.parametrize(
    "path", ["/test", "/api-fake/test", "/api-fake/refresh", "/api-fake/functions/echo/call"]
)
def test_a_key_without_the_permission_to_manage_runs_nothing(stack: Stack, fake: MCPTool, path: str) -> None:
    headers = {"Authorization": f"Bearer {stack.key(f'caller{path}').key}"}
    response = httpx.post(f"{stack.url}/api/v1/mcp-tools{path}", json=CANDIDATE, headers=headers)
    assert (response.status_code, response.json()["error"]["type"]) == (403, "management_required")


@pytest.fixture(scope="module")
def remote() -> Iterator[Callable[[str], str]]:
    started: list[Remote] = []

    def url(connection_type: str) -> str:
        started.append(Remote(connection_type))
        started[-1].start()
        return started[-1].url

    yield url
    for each in started:
        each.kill()
