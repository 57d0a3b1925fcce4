"""Runs that are ended from outside: by a cancellation, or with their key; on whichever process they run."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from config.runner.network import free_port
from tests.stack import BY, Stack, readiness, wait_for
from tools.models import MCPTool

SLEEP_S = 30
SLEEP = {"tool_calls": [{"name": "ending__sleep", "arguments": {"s": SLEEP_S}}]}
Ask = Callable[..., "Future[httpx.Response]"]


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Ending")


@pytest.fixture(scope="module")
def other_url(stack: Stack) -> Iterator[str]:
    """Another web process, which runs what the first one is asked to cancel."""
    port = free_port()
    running = stack.start_process("web-of-endings", stack.web_command(port))
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "ok", within_s=60)
    yield url
    running.stop(timeout_s=10)


@pytest.fixture
def caller(stack: Stack) -> IssuedKey:
    return stack.key(f"ending-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def model(stack: Stack, caller: IssuedKey, fake: MCPTool) -> str:
    slug = f"ending-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, fake, keys=(caller,))
    stack.llm.script(slug, SLEEP, {"text": "Never."})
    return slug


@pytest.fixture
def ask(other_url: str, caller: IssuedKey, model: str) -> Iterator[Ask]:
    def ask(**fields: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "go"}], **fields}
        headers = {"authorization": f"Bearer {caller.key}"}
        return httpx.post(f"{other_url}/v1/chat/completions", json=body, headers=headers, timeout=40)

    with ThreadPoolExecutor() as pool:
        yield lambda **fields: pool.submit(ask, **fields)


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    manager = stack.key("ending-manager", can_manage=True)
    headers = {"authorization": f"Bearer {manager.key}"}
    with httpx.Client(base_url=f"{stack.url}/api/v1", headers=headers, timeout=30) as client:
        yield client


def running_run(api: httpx.Client, model: str) -> str:
    """The run_id, once its tool is being called."""
    query = {"assistant": model, "status": "running"}
    wait_for(lambda: api.get("/runs", params=query).json(), within_s=30)
    time.sleep(0.5)
    return str(api.get("/runs", params=query).json()[0]["run_id"])


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_run_ends_and_so_does_its_tool_call(
    stack: Stack, api: httpx.Client, ask: Ask, model: str, *, stream: bool
) -> None:
    answer = ask(stream=stream)
    run_id = running_run(api, model)
    before = time.monotonic()
    assert api.post(f"/runs/{run_id}/cancel").status_code == 202
    response = answer.result()
    assert time.monotonic() - before < SLEEP_S / 2
    assert response.status_code == (200 if stream else 409)
    assert '"code":"run_cancelled"' in response.text
    if not stream:
        assert response.headers["x-should-retry"] == "false"
    run = ended(api, run_id)
    assert (run["status"], run["error"]) == ("cancelled", "run_cancelled")
    assert [call["status"] for call in run["tool_calls"]] == ["cancelled"]
    assert len(stack.llm.bodies(model)) == 1
    [entry] = api.get("/audit", params={"object_kind": "run cancellation"}).json()[:1]
    assert (entry["object_name"], entry["action"]) == (run_id, "created")


def test_a_run_that_has_ended_cannot_be_cancelled(
    stack: Stack, api: httpx.Client, ask: Ask, model: str
) -> None:
    stack.llm.script(model, {"text": "Done."})
    run_id = ask().result().json()["choices"][0]["message"]["mcp_connector"]["run_id"]
    assert ended(api, run_id)["status"] == "completed"
    refusal = api.post(f"/runs/{run_id}/cancel")
    assert (refusal.status_code, refusal.json()["error"]["type"]) == (409, "not_running")
    assert api.post("/runs/run_nobody/cancel").status_code == 404


@pytest.mark.parametrize("change", ["disabled", "deleted", "may not call"])
def test_a_key_that_is_taken_away_cancels_its_runs(
    stack: Stack, api: httpx.Client, ask: Ask, model: str, caller: IssuedKey, *, change: str
) -> None:
    answer = ask()
    run_id = running_run(api, model)
    before = time.monotonic()
    with stack.database():
        if change == "deleted":
            key_actions.delete(caller.api_key, by=BY)
        elif change == "disabled":
            key_actions.update(caller.api_key, by=BY, is_disabled=True)
        else:
            key_actions.update(caller.api_key, by=BY, can_call_assistant=False)
    assert answer.result().json()["error"]["code"] == "invalid_api_key"
    assert time.monotonic() - before < SLEEP_S / 2
    assert ended(api, run_id)["status"] == "cancelled"


def test_another_change_of_the_key_ends_nothing(
    stack: Stack, api: httpx.Client, ask: Ask, model: str, caller: IssuedKey
) -> None:
    stack.llm.script(
        model, {"tool_calls": [{"name": "ending__sleep", "arguments": {"s": 1.5}}]}, {"text": "Awake."}
    )
    answer = ask()
    running_run(api, model)
    with stack.database():
        key_actions.update(caller.api_key, by=BY, requests_per_minute=1_000)
    assert "Awake." in answer.result().text


def rotate(api: httpx.Client, key: IssuedKey, grace_s: float) -> str:
    """Returns the new key."""
    answer = api.post(f"/api-keys/{key.api_key.pk}/rotate", json={"grace_seconds": grace_s})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["key"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("grace_s", [0, 1])
def test_a_rotation_ends_the_runs_of_the_old_key_with_its_grace_period(
    api: httpx.Client, ask: Ask, model: str, caller: IssuedKey, *, stream: bool, grace_s: float
) -> None:
    answer = ask(stream=stream)
    run_id = running_run(api, model)
    before = time.monotonic()
    rotate(api, caller, grace_s)
    assert '"code":"invalid_api_key"' in answer.result().text
    assert grace_s <= time.monotonic() - before < SLEEP_S / 2
    assert ended(api, run_id)["status"] == "cancelled"


def test_a_run_of_the_new_key_goes_on(
    stack: Stack, api: httpx.Client, other_url: str, model: str, caller: IssuedKey
) -> None:
    new = rotate(api, caller, 0)
    stack.llm.script(
        model, {"tool_calls": [{"name": "ending__sleep", "arguments": {"s": 1.5}}]}, {"text": "Awake."}
    )
    body = {"model": model, "messages": [{"role": "user", "content": "go"}]}
    with ThreadPoolExecutor() as pool:
        headers = {"authorization": f"Bearer {new}"}
        url = f"{other_url}/v1/chat/completions"
        answer = pool.submit(httpx.post, url, json=body, headers=headers, timeout=20)
        running_run(api, model)
        key = f"/api-keys/{caller.api_key.pk}"
        assert api.patch(key, json={"name": f"{caller.api_key.name}-renamed"}).status_code == 200
        assert "Awake." in answer.result().text


def test_a_key_that_expires_ends_its_runs(api: httpx.Client, ask: Ask, model: str, caller: IssuedKey) -> None:
    answer = ask()
    run_id = running_run(api, model)
    soon = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    assert api.patch(f"/api-keys/{caller.api_key.pk}", json={"expires_at": soon}).status_code == 200
    assert answer.result().json()["error"]["code"] == "invalid_api_key"
    assert ended(api, run_id)["status"] == "cancelled"


def test_a_rotation_ends_the_stream_of_a_background_response_and_not_the_response(
    api: httpx.Client, stack: Stack, other_url: str, model: str, caller: IssuedKey
) -> None:
    stack.llm.script(
        model, {"tool_calls": [{"name": "ending__sleep", "arguments": {"s": 2.5}}]}, {"text": "Awake."}
    )
    body = {"model": model, "input": "go", "background": True, "stream": True}
    old = {"authorization": f"Bearer {caller.key}"}
    events = []
    with httpx.stream("POST", f"{other_url}/v1/responses", json=body, headers=old, timeout=20) as answer:
        new = {"authorization": f"Bearer {rotate(api, caller, 0)}"}
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert (events[-1]["type"], events[-1]["code"]) == ("error", "invalid_api_key")
    response_id = events[0]["response"]["id"]
    url = f"{other_url}/v1/responses/{response_id}"
    wait_for(lambda: httpx.get(url, headers=new).json()["status"] == "completed", within_s=30)
    assert httpx.get(url, headers=old).status_code == 401


def ended(api: httpx.Client, run_id: str) -> dict[str, Any]:
    wait_for(lambda: api.get(f"/runs/{run_id}").json().get("status") not in (None, "running"), within_s=30)
    return dict(api.get(f"/runs/{run_id}").json())
