"""With WEB_CONCURRENCY=2 nothing that callers rely on is known to one of the two processes alone."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from apikeys.models import ApiKey
from config.runner.network import free_port
from config.runner.processes import Running
from tests.assistants.mcp_endpoint.clients import JSON_AND_EVENTS
from tests.stack import BY, Stack, readiness, wait_for
from tools.models import MCPTool

CHAT = "/v1/chat/completions"
MCP = "/mcp/s/two-processes"


class Web:
    """Two processes behind one port."""

    def __init__(self, stack: Stack) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.running: Running = stack.start_process(
            "two-webs", stack.web_command(self.port), WEB_CONCURRENCY="2"
        )
        wait_for(lambda: readiness(self.url) == "ok", within_s=60)

    def pids(self) -> set[int]:
        return {each.pid for each in psutil.Process(self.running.popen.pid).children()}

    def client_of(self, pid: int, key: IssuedKey) -> httpx.Client:
        """Returns a client whose connection this process has accepted."""
        for _ in range(100):
            headers = {"authorization": f"Bearer {key.key}", "accept": JSON_AND_EVENTS}
            client = httpx.Client(base_url=self.url, headers=headers, timeout=40)
            client.get("/health")
            if pid in self._accepted_by(client):
                return client
            client.close()
        raise AssertionError(f"{pid} accepts no connection")

    def _accepted_by(self, client: httpx.Client) -> set[int]:
        [connection] = client._transport._pool.connections  # type: ignore[attr-defined]
        port = connection._connection._network_stream.get_extra_info("client_addr")[1]
        return {
            pid
            for pid in self.pids()
            for each in psutil.Process(pid).net_connections()
            if each.raddr and each.raddr.port == port
        }


@pytest.fixture(scope="module")
def web(stack: Stack) -> Iterator[Web]:
    made = Web(stack)
    yield made
    made.running.stop(timeout_s=10)


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Two processes")


Both = tuple[httpx.Client, httpx.Client]


@pytest.fixture
def key(stack: Stack) -> IssuedKey:
    return stack.key(f"two-{uuid.uuid4().hex[:8]}", can_manage=True)


@pytest.fixture
def both(web: Web, key: IssuedKey) -> Iterator[Both]:
    """A client of each process."""
    first, second = (web.client_of(pid, key) for pid in sorted(web.pids()))
    yield first, second
    for client in (first, second):
        client.close()


@pytest.fixture
def model(stack: Stack, key: IssuedKey) -> str:
    slug = f"two-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, keys=(key,))
    stack.llm.script(slug, {"text": "Noted.", "repeat": True})
    return slug


def chat(client: httpx.Client, model: str, text: str = "Hi.", **headers: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return client.post(CHAT, json=body, headers=headers)


def mcp(client: httpx.Client, session: str, method: str, **params: Any) -> httpx.Response:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications/"):
        message["id"] = 1
    return client.post(MCP, json=message, headers={"mcp-session-id": session} if session else {})


def test_a_limit_counts_the_requests_to_both(stack: Stack, key: IssuedKey, model: str, both: Both) -> None:
    with stack.database():
        key_actions.update(ApiKey.objects.get(pk=key.api_key.pk), by=BY, requests_per_minute=2)
    wait_for(lambda: "x-ratelimit-limit-requests" in chat(both[0], "nobody").headers, within_s=5)
    statuses = [chat(client, model).status_code for client in both * 2]
    assert statuses[-2:] == [429, 429]


def test_a_session_over_mcp_goes_on_at_the_other(fake: MCPTool, both: Both) -> None:
    first, second = both
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    session = mcp(first, "", "initialize", **hello).headers["mcp-session-id"]
    mcp(second, session, "notifications/initialized")
    assert {tool["name"] for tool in mcp(second, session, "tools/list").json()["result"]["tools"]} >= {"echo"}
    with ThreadPoolExecutor() as pool:
        began = time.monotonic()
        asleep = pool.submit(mcp, first, session, "tools/call", name="sleep", arguments={"s": 30})
        time.sleep(1)
        mcp(second, session, "notifications/cancelled", requestId=1)
        asleep.result()
    assert time.monotonic() - began < 20
    assert second.delete(MCP, headers={"mcp-session-id": session}).status_code in (200, 204)
    wait_for(lambda: mcp(first, session, "tools/list").status_code == 404, within_s=5)


def test_a_request_that_is_repeated_at_the_other_runs_once(stack: Stack, model: str, both: Both) -> None:
    stack.llm.script(model, {"text": "Once.", "delay_s": 1.5}, {"text": "Twice."})
    named = {"idempotency-key": uuid.uuid4().hex}
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda client: chat(client, model, **named), both))
    assert [answer.json()["choices"][0]["message"]["content"] for answer in answers] == ["Once.", "Once."]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len(stack.llm.bodies(model)) == 1


def test_a_stored_history_goes_on_at_the_other(stack: Stack, model: str, both: Both) -> None:
    session = {"session_id": uuid.uuid4().hex, "mcp_connector": {"history": "stored"}}
    for client, text in zip(both, ("I am Ada.", "Who am I?"), strict=True):
        said = [{"role": "user", "content": text}]
        assert client.post(CHAT, json={"model": model, "messages": said, **session}).status_code == 200
    contents = [message["content"] for message in stack.llm.bodies(model)[-1]["messages"]]
    assert contents == ["I am Ada.", "Noted.", "Who am I?"]


def test_their_runs_have_different_ids(model: str, both: Both) -> None:
    ids = [chat(client, model).json()["id"] for client in both * 10]
    assert len(set(ids)) == 20


def test_a_revoked_key_is_refused_by_both(stack: Stack, key: IssuedKey, model: str, both: Both) -> None:
    assert [chat(client, model).status_code for client in both] == [200, 200]
    with stack.database():
        key_actions.update(ApiKey.objects.get(pk=key.api_key.pk), by=BY, is_disabled=True)
    wait_for(lambda: [chat(client, model).status_code for client in both] == [401, 401], within_s=5)


def test_one_that_is_killed_is_replaced_and_all_end_with_their_parent(stack: Stack) -> None:
    web = Web(stack)
    try:
        killed, other = web.pids()
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: other in web.pids() and len(web.pids() - {killed}) == 2, within_s=60)
        wait_for(lambda: readiness(web.url) == "ok", within_s=20)
        children = [psutil.Process(pid) for pid in web.pids()]
        web.running.popen.kill()
        web.running.popen.wait(10)
        assert psutil.wait_procs(children, timeout=20)[1] == []
    finally:
        web.running.stop(timeout_s=5)


def test_they_drain_and_end_at_a_signal(stack: Stack, key: IssuedKey, model: str) -> None:
    web = Web(stack)
    stack.llm.script(model, {"text": "In time.", "delay_s": 1}, {"text": "In time.", "delay_s": 1})
    clients = [web.client_of(pid, key) for pid in web.pids()]
    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(chat, client, model) for client in clients]
        wait_for(lambda: len(stack.llm.requests(model)) == 2, within_s=10)
        web.running.popen.send_signal(signal.SIGTERM)
        answers = [each.result().json() for each in asking]
    assert web.running.popen.wait(20) == 0
    for client in clients:
        client.close()
    assert [answer["choices"][0]["message"]["content"] for answer in answers] == ["In time."] * 2
