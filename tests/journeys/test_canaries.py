"""A canary in every field: none is found in metrics, in logs at DEBUG, or in exported spans.

A web process and both workers with all of it switched on; a collector of traces that keeps what it is sent.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import override_settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from apikeys.actions import IssuedKey
from assistants import actions as assistant_actions
from config.runner.network import free_port
from config.runner.processes import Program, Running
from tests.ports import listed_port
from tests.stack import BY, SERVERS, Stack, readiness, wait_for

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
OTHER_TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
WORKERS = ("mcp", "default")
CANARY = "canary-7e1d"
RUN = "invoke_agent canaries"
CHAT = "/v1/chat/completions"


class Collector:
    """Of traces, by OTLP over HTTP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for request in requests
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def names(self, trace: str) -> list[str]:
        return sorted(span.name for span in self.spans() if span.trace_id.hex() == trace)

    def one(self, trace: str, name: str) -> Any:
        (found,) = [each for each in self.spans() if (each.trace_id.hex(), each.name) == (trace, name)]
        return found


class Observed:
    def __init__(self, stack: Stack, collector: Collector, folder: Path) -> None:
        self.stack, self.collector = stack, collector
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "json",
            "METRICS_DIR": str(folder / "metrics"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={CANARY}-collector",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    def start(self) -> None:
        for worker in WORKERS:
            self.stack.process(worker).stop(timeout_s=15)
            (self.stack.folder / f"{worker}.log").rename(self.stack.folder / f"{worker}-before.log")
            self.stack.start_process(worker, **self.environment)
        self.stack.start_process("observed-web", self.stack.web_command(self.port), **self.environment)
        wait_for(lambda: readiness(self.url) == "ok", within_s=60)

    def stop(self) -> None:
        self.stack.process("observed-web").stop(timeout_s=15)
        for worker in WORKERS:
            self.stack.process(worker).stop(timeout_s=15)
            self.stack.start_process(worker)
        self.stack.wait_until_ready()

    def text_of_logs(self) -> str:
        return "".join(map(self.stack.log, ("observed-web", *WORKERS)))

    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text_of_logs().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def observed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    collector = Collector()
    observed = Observed(stack, collector, tmp_path_factory.mktemp("observed"))
    try:
        observed.start()
        yield observed
    finally:
        observed.stop()
        collector.server.shutdown()
        collector.server.server_close()


@pytest.fixture(scope="module")
def key(stack: Stack) -> IssuedKey:
    return stack.key("canaries", can_manage=True)


@pytest.fixture(scope="module")
def meta(observed: Observed, key: IssuedKey) -> Iterator[Path]:
    """An assistant with two servers, and a secret in each field. Yields what `_meta` one of them is sent."""
    stack, port, told = observed.stack, listed_port(), observed.stack.folder / "meta"
    command = [sys.executable, str(SERVERS / "real.py"), "streamable-http", str(port)]
    remote = Running(Program("remote", command), stack.folder / "canaries-remote.log")
    headers = {"Authorization": f"Bearer {CANARY}-header"}
    address = f"http://127.0.0.1:{port}/mcp?key={CANARY}-url"
    try:
        local = stack.server(
            "Canaries", f"{CANARY}-argument", env={"TOKEN": f"{CANARY}-variable", "FAKE_META": str(told)}
        )
        far = stack.server(
            "Far", connection_type="streamable_http", url=address, headers=headers, command="", args=[]
        )
        allowed = stack.llm.url.removeprefix("http://")  # it is OPENAI_BASE_URL, too, so it may be called
        with stack.database(), override_settings(ALLOWED_PRIVATE_HOSTS=[allowed]):
            provider = assistant_actions.add_provider(
                by=BY, name="P", base_url=stack.llm.base_url, api_key=f"{CANARY}-provider", default_model="x"
            )
        for slug in ("canaries", "canaries-failing"):
            stack.assistant(
                slug, local, far, keys=(key,), provider=provider, system_prompt=f"{CANARY}-system"
            )
        yield told
    finally:
        remote.stop(timeout_s=3)


def post(
    observed: Observed, key: IssuedKey, path: str, body: dict[str, Any], **headers: str
) -> httpx.Response:
    sent = {
        "authorization": f"Bearer {key.key}",
        "traceparent": TRACEPARENT,
        "x-own": f"{CANARY}-request-header",
        "accept": "application/json, text/event-stream",
        **headers,
    }
    return httpx.post(f"{observed.url}{path}?own={CANARY}-query", json=body, headers=sent, timeout=30)


def ask(observed: Observed, key: IssuedKey, model: str, **fields: Any) -> httpx.Response:
    messages = [{"role": "user", "content": f"{CANARY}-prompt"}]
    return post(
        observed, key, CHAT, {"model": model, "messages": messages, "user": f"{CANARY}-user", **fields}
    )


def metrics_with(observed: Observed, counted: Sequence[str]) -> str:
    """Returns the metrics when each pattern is found in them: a process writes its numbers a little later."""
    deadline = time.monotonic() + 10
    while True:
        metrics = httpx.get(f"{observed.url}/metrics").text
        missing = [pattern for pattern in counted if not re.search(pattern, metrics)]
        if not missing:
            return metrics
        assert time.monotonic() < deadline, missing
        time.sleep(0.1)


def test_no_canary_is_found_and_one_trace_shows_all(observed: Observed, key: IssuedKey, meta: Path) -> None:
    said = f"{CANARY}-answer"
    calls = [{"name": "canaries__echo", "arguments": {"text": f"{CANARY}-call"}}]
    observed.stack.llm.script("canaries", {"tool_calls": calls}, {"text": said})
    answer = ask(observed, key, "canaries")
    assert answer.json()["choices"][0]["message"]["content"] == said
    observed.stack.llm.script("canaries-failing", {"status": 400, "body": f'{{"error": "{CANARY}-error"}}'})
    assert ask(observed, key, "canaries-failing", stream=True).status_code >= 400
    called = {"name": "echo", "arguments": {"text": f"{CANARY}-call"}}
    rpc = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": f"{CANARY}-client", "version": "1"},
        },
    }
    session = post(observed, key, "/mcp/s/canaries", rpc).headers["mcp-session-id"]
    rpc = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": called}
    assert post(observed, key, "/mcp/s/canaries", rpc, **{"mcp-session-id": session}).status_code == 200
    assert (
        post(observed, key, "/api/v1/api-keys", {"name": CANARY, "unknown": f"{CANARY}-field"}).status_code
        >= 400
    )

    wait_for(lambda: observed.collector.names(TRACE).count("tools/call echo") == 2, within_s=10)
    wait_for(lambda: "POST management" in observed.collector.names(TRACE), within_s=10)
    expected = {
        "POST chat",
        RUN,
        "chat canaries",
        "execute_tool canaries__echo",
        "worker request",
        "tools/call echo",
        "POST mcp",
        "tools/call",
        "execute_tool echo",
    }
    assert expected <= set(observed.collector.names(TRACE))
    traced = [json.loads(line)["traceparent"] for line in meta.read_text().splitlines()]
    ids = {span.span_id.hex() for span in observed.collector.spans() if span.name == "tools/call echo"}
    assert {(TRACE, span_id) for span_id in ids} == {tuple(each.split("-")[1:3]) for each in traced}
    assert observed.collector.headers[0]["api-key"] == f"{CANARY}-collector"

    counted = (
        r'mcp_connector_requests_total\{endpoint="chat",status="200"\} 1',
        r'mcp_connector_llm_calls_total\{provider="openai",status="ok"\} 2',
        r'mcp_connector_tool_calls_total\{outcome="ok",server="canaries"\} 2',
        r'mcp_connector_hop_duration_seconds_count\{side="worker"\} 2',
        r'mcp_connector_tokens_total\{kind="prompt"\} [1-9]',
        r'mcp_connector_runs_total\{status="completed"\} 1',
        r'mcp_connector_mcp_requests_total\{method="tools/call",outcome="ok"\} 1',
    )
    metrics = metrics_with(observed, counted)
    secret = key.key.removeprefix(key.api_key.key_prefix).strip("-.…")
    for what, text in {
        "metrics": metrics,
        "logs": observed.text_of_logs(),
        "spans": b"".join(observed.collector.bodies).decode("latin-1"),
    }.items():
        assert re.findall(rf".{{0,200}}(?:{CANARY}|{re.escape(secret)}).{{0,60}}", text) == [], what
    assert {line["key"] for line in observed.logs() if "key" in line} <= {key.api_key.key_prefix}
    assert all("time" in line and "message" in line for line in observed.logs())


def test_workers_log_from_log_level_on(observed: Observed, meta: Path) -> None:
    for worker in WORKERS:
        assert '"level":"DEBUG"' in observed.stack.log(worker).replace(" ", "")


def test_lines_of_a_request_name_it(observed: Observed, key: IssuedKey, meta: Path) -> None:
    observed.stack.llm.script("canaries-failing", {"status": 500, "body": "no", "repeat": True})
    answer = ask(observed, key, "canaries-failing")
    assert answer.status_code >= 400
    of_request = [
        line for line in observed.logs() if line.get("request_id") == answer.headers["x-request-id"]
    ]
    assert of_request
    assert {line["key"] for line in of_request} == {key.api_key.key_prefix}
    assert len({line.get("run_id", "") for line in of_request} - {""}) == 1


def test_a_response_in_the_background_goes_on_with_the_trace_of_its_request(
    observed: Observed, key: IssuedKey, meta: Path
) -> None:
    observed.stack.llm.script("canaries", {"text": f"{CANARY}-answer"})
    body = {"model": "canaries", "input": f"{CANARY}-prompt", "background": True}
    traceparent = f"00-{OTHER_TRACE}-b7ad6b7169203331-01"
    assert post(observed, key, "/v1/responses", body, traceparent=traceparent).json()["status"] == "queued"
    expected = ("POST responses", "process assistants.tasks.respond", "response in the background", RUN)
    wait_for(lambda: set(expected) <= set(observed.collector.names(OTHER_TRACE)), within_s=60)
    request, task, response, run = (observed.collector.one(OTHER_TRACE, name) for name in expected)
    assert task.parent_span_id == response.parent_span_id == request.span_id
    assert run.parent_span_id == response.span_id
    attributes = {each.key: each.value.string_value for each in task.attributes}
    assert attributes.pop("messaging.message.id")
    assert attributes == {
        "messaging.system": "celery",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "default",
    }
    assert CANARY.encode() not in b"".join(observed.collector.bodies)
