"""Runs that are ended from outside: by a cancellation, or with their key; on whichever process they run."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from config.runner.network import free_port
from tests.stack import BY, Stack, readiness, wait_for
from tools.models import MCPTool

SLEEP = {"tool_calls": [{"name": "ending__sleep", "arguments": {"s": 30}}]}
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
    wait_for(lambda: readiness(url) == "ok", within_s=20)
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
        return httpx.post(f"{other_url}/v1/chat/completions", json=body, headers=headers, timeout=20)

    with ThreadPoolExecutor() as pool:
        yield lambda **fields: pool.submit(ask, **fields)


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    manager = stack.key("ending-manager", can_manage=True)
    headers = {"authorization": f"Bearer {manager.key}"}
    with httpx.Client(base_url=f"{stack.url}/api/v1", headers=headers, timeout=10) as client:
        yield client


def running_run(api: httpx.Client, model: str) -> str:
    """The run_id, once its tool is being called."""
    query = {"assistant": model, "status": "running"}
    wait_for(lambda: api.get("/runs", params=query).json(), within_s=5)
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
    assert time.monotonic() - before < 2
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
    assert time.monotonic() - before < 2
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


def ended(api: httpx.Client, run_id: str) -> dict[str, Any]:
    wait_for(lambda: api.get(f"/runs/{run_id}").json().get("status") not in (None, "running"), within_s=5)
    return dict(api.get(f"/runs/{run_id}").json())
