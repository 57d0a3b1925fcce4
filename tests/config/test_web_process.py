"""A web process as it runs in production: how it starts, and how it ends while requests are in flight."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection, transaction

from assistants.models import Run
from config.runner.network import free_port
from config.runner.processes import Running
from tests.stack import Stack, readiness, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
DRAIN_S = 2.0  # see tests.stack.TIMES
NOT_AT_ALL_S = 25.0
"""What is waited for at the end would take longer."""
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
LATE = {"text": "Too late.", "delay_s": 30}
WORDS = {"text": "word " * 100, "chunk_delay_s": 0.1}
SLEEP = {"tool_calls": [{"name": "stopping__sleep", "arguments": {"s": 30}}]}
KEY = {"idempotency-key": "stopping"}


class Web:
    def __init__(self, stack: Stack, *command: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        started = [*command, "--port", str(self.port)] if command else stack.web_command(self.port)
        self.running: Running = stack.start_process(
            "stopping-web", started, LLM_READ_TIMEOUT_S="60", **environment
        )
        wait_for(lambda: readiness(self.url) == "ok", within_s=60)

    def end(self) -> float:
        """Sends SIGTERM, and returns the seconds until the process has ended, with status 0."""
        began = time.monotonic()
        self.running.popen.send_signal(signal.SIGTERM)
        assert self.running.popen.wait(NOT_AT_ALL_S) == 0
        return time.monotonic() - began


@dataclass
class End:
    """What became of the requests that were in flight, by name, and of the process."""

    answers: dict[str, httpx.Response]
    took_s: float
    log: str


REQUESTS: dict[str, tuple[str, Any, dict[str, str], dict[str, Any]]] = {
    "in-time": (CHAT, {"text": "Just in time.", "delay_s": 1.5}, {}, {}),
    "chat": (CHAT, LATE, {}, {}),
    "response": (RESPONSES, LATE, {}, {}),
    "tool": (CHAT, SLEEP, {}, {}),
    "named": (CHAT, LATE, KEY, {}),
    "chat-stream": (CHAT, WORDS, {}, {"stream": True}),
    "response-stream": (RESPONSES, WORDS, {}, {"stream": True}),
    "background": (RESPONSES, WORDS, {}, {"stream": True, "background": True}),
}
"""By name: the path, what the LLM does, headers, and fields of the body."""


@pytest.fixture(scope="module")
def end(stack: Stack) -> Iterator[End]:
    """One process, which gets SIGTERM with a request of every kind in flight."""
    fake = stack.server("Stopping")
    caller, manager = stack.key("stopping-caller"), stack.key("stopping-manager", can_manage=True)
    for name, (_, step, _, _) in REQUESTS.items():
        stack.assistant(f"stopping-{name}", fake, keys=(caller,))
        stack.llm.script(f"stopping-{name}", step)
    web = Web(stack)

    def ask(name: str) -> httpx.Response:
        path, _, headers, fields = REQUESTS[name]
        said = "input" if path == RESPONSES else "messages"
        body = {"model": f"stopping-{name}", said: [{"role": "user", "content": "go"}], **fields}
        headers = {"authorization": f"Bearer {caller.key}", **headers}
        return httpx.post(web.url + path, json=body, headers=headers, timeout=40)

    def list_servers() -> httpx.Response:
        headers = {"authorization": f"Bearer {manager.key}"}
        return httpx.get(f"{web.url}/api/v1/mcp-tools", headers=headers, timeout=40)

    try:
        with stack.database(), ThreadPoolExecutor(20) as pool:
            asking = {name: pool.submit(ask, name) for name in REQUESTS}
            wait_for(lambda: all(stack.llm.requests(f"stopping-{name}") for name in REQUESTS), within_s=20)
            asking["joined"] = pool.submit(ask, "named")
            with transaction.atomic():
                connection.cursor().execute("LOCK TABLE tools_mcptool IN ACCESS EXCLUSIVE MODE")
                asking["management"] = pool.submit(list_servers)
                time.sleep(0.5)
                took_s = web.end()
            answers = {name: answer.result() for name, answer in asking.items()}
        yield End(answers, took_s, stack.log("stopping-web"))
    finally:
        web.running.stop(timeout_s=10)


def test_it_takes_the_time_that_requests_get_and_does_not_wait_for_longer_ones(end: End) -> None:
    assert DRAIN_S <= end.took_s < NOT_AT_ALL_S


def test_it_logs_no_traceback(end: End) -> None:
    assert "Traceback" not in end.log


def test_a_request_that_is_answered_in_time_notices_nothing(end: End) -> None:
    answer = end.answers["in-time"].json()
    assert answer["choices"][0]["message"]["content"] == "Just in time."


@pytest.mark.parametrize("name", ["chat", "response", "tool", "named", "joined"])
def test_a_request_that_takes_longer_is_told_so(end: End, name: str) -> None:
    answer = end.answers[name]
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_stopping")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("name", ["chat", "response", "tool", "named"])
def test_its_run_is_on_the_record(stack: Stack, end: End, name: str) -> None:
    with stack.database():
        runs = Run.objects.filter(assistant_slug=f"stopping-{name}")
        assert set(runs.values_list("error", flat=True)) == {"server_stopping"}


def test_a_stream_ends_with_an_error(end: End) -> None:
    *events, last = end.answers["chat-stream"].text.strip().split("\n\n")
    assert len(events) > 3
    assert last.startswith('data: {"error":')
    assert '"code":"server_stopping"' in last


def test_a_response_that_is_streamed_fails(end: End) -> None:
    *events, last = end.answers["response-stream"].text.strip().split("\n\n")
    assert len(events) > 3
    assert last.startswith("event: response.failed\n")
    assert "The server was stopped" in last


def test_one_who_follows_a_response_in_the_background_is_told_too(stack: Stack, end: End) -> None:
    *events, last = end.answers["background"].text.strip().split("\n\n")
    assert len(events) > 3
    assert '"code":"server_stopping"' in last


def test_a_view_of_the_management_api_is_not_waited_for(end: End) -> None:
    answer = end.answers["management"]
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "server_stopping")
    assert answer.headers["x-should-retry"] == "false"


def test_with_nothing_to_do_it_ends_at_once(stack: Stack) -> None:
    web = Web(stack, sys.executable, "-m", "uvicorn", "config.asgi:application", WEB_DRAIN_S="60")
    with socket.create_connection(("127.0.0.1", web.port)):  # idle
        web.end()


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_that_cannot_listen_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        away = f"postgresql://127.0.0.1:{free_port()}/none"
        result = run("config.web", "--port", str(taken.getsockname()[1]), DATABASE_URL=away)
    assert result.returncode == 1
    assert "address already in use" in result.stderr


def test_one_without_settings_says_so() -> None:
    result = run("config.web", "--port", str(free_port()), OPENAI_BASE_URL="nonsense")
    assert result.returncode == 1
    told = "OPENAI_BASE_URL must be an address that begins with http:// or https://."
    assert result.stderr == f"MCP Connector cannot run: {told}\n"


def test_options_of_uvicorn_are_taken() -> None:
    assert "uvicorn" in run("config.web", "--version").stdout


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_balancer_notices_the_end_before_anything_is_refused(stack: Stack, number: str) -> None:
    web = Web(stack, SHUTDOWN_DELAY_S="3", WEB_CONCURRENCY=number)
    with httpx.Client(base_url=web.url) as client:
        assert "connection" not in client.get("/health").headers
        web.running.popen.send_signal(signal.SIGTERM)
        began = time.monotonic()
        wait_for(lambda: client.get("/ready").status_code == 503, within_s=2)
        answered = 0
        while time.monotonic() - began < 2.5:
            assert client.get("/health").status_code == 200
            answered += 1
        assert answered > 10
        assert client.get("/ready").json() == {"status": "stopping"}
        wait_for(lambda: client.get("/health").headers["connection"] == "close", within_s=0.1)
    assert web.running.popen.wait(NOT_AT_ALL_S) == 0
    assert 3 <= time.monotonic() - began < 10
    assert "Traceback" not in stack.log("stopping-web")


def test_a_second_signal_ends_the_delay(stack: Stack) -> None:
    web = Web(stack, SHUTDOWN_DELAY_S="60")
    web.running.popen.send_signal(signal.SIGTERM)
    wait_for(lambda: readiness(web.url) == "", within_s=5)
    assert web.end() < 10
