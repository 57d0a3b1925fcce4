"""Headers of callers: a server is sent those that staff gave it, and none that somebody calls with."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from apikeys.actions import IssuedKey
from tests.ports import listed_port
from tests.stack import Stack

CANARY = "canary-of-a-caller"
GIVEN = "given-by-staff"
OF_CALLERS = {
    "cookie": f"session={CANARY}", "x-api-key": CANARY, "x-own": CANARY, "x-forwarded-for": "203.0.113.77",
    "proxy-authorization": f"Basic {CANARY}", "x-auth-token": CANARY, "mcp-param-region": CANARY,
    "referer": f"https://{CANARY}.example.org/", "user-agent": CANARY, "forwarded": f"for={CANARY}",
    "x-request-id": CANARY,
}  # fmt: skip
TOOL = {"name": "look", "inputSchema": {"type": "object"}}
RESULTS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "listening", "version": "1"},
    },
    "tools/list": {"tools": [TOOL]},
    "tools/call": {"content": [{"type": "text", "text": "Nothing."}]},
}


class Listening(BaseHTTPRequestHandler):
    """An MCP server that keeps what it is sent: `(method, headers and body)` of each request."""

    protocol_version = "HTTP/1.1"
    received: list[tuple[str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        message = json.loads(body)
        self.received.append((message["method"], f"{self.path}\n{self.headers}{body.decode()}"))
        if "id" not in message:
            self._answer(202, b"")
            return
        result = RESULTS.get(message["method"])
        outcome = {"result": result} if result else {"error": {"code": -32601, "message": "None."}}
        self._answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], **outcome}).encode())

    def do_GET(self) -> None:
        self._answer(405, b"")

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def received() -> list[tuple[str, str]]:
    return []


@pytest.fixture(scope="module")
def key(stack: Stack, received: list[tuple[str, str]]) -> Iterator[IssuedKey]:
    """A key for the assistant `listening`, which uses that server."""
    handler = type("Handler", (Listening,), {"received": received})
    with ThreadingHTTPServer(("127.0.0.1", listed_port()), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        server = stack.server(
            "Listening", connection_type="streamable_http", command="", args=[],
            url=f"http://127.0.0.1:{listening.server_port}/mcp", headers={"X-Staff": GIVEN},
        )  # fmt: skip
        key = stack.key("listening")
        stack.assistant("listening", server, keys=(key,))
        yield key
        listening.shutdown()


@pytest.mark.parametrize("way", ["chat", "responses", "mcp", "tools"])
def test_secrets_outward_by_headers(
    stack: Stack, key: IssuedKey, received: list[tuple[str, str]], way: str
) -> None:
    """Open WebUI 109292 (the whole cookie jar), MCPHub 120323 (headers that are passed through)."""
    received.clear()
    stack.llm.script(
        "listening", {"tool_calls": [{"name": "listening__look", "arguments": {}}]}, {"text": "x"}
    )
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "listening__look"}}
    paths: dict[str, tuple[str, Any]] = {
        "chat": (
            "/v1/chat/completions",
            {"model": "listening", "messages": [{"role": "user", "content": "x"}]},
        ),
        "responses": ("/v1/responses", {"model": "listening", "input": "x"}),
        "mcp": ("/mcp/a/listening", call),
        "tools": ("/api/v1/assistants/listening/tools/listening__look", {}),
    }
    headers = {"accept": "application/json, text/event-stream", "authorization": f"Bearer {key.key}"}
    with httpx.Client(base_url=stack.url, headers={**OF_CALLERS, **headers}, timeout=30) as http:
        if way == "mcp":
            params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": CANARY}}
            begun = http.post(paths[way][0], json={**call, "method": "initialize", "params": params})
            http.headers["mcp-session-id"] = begun.headers["mcp-session-id"]
        answer = http.post(paths[way][0], json=paths[way][1])
    assert answer.status_code == 200, answer.text
    (called,) = [sent for method, sent in received if method == "tools/call"]
    assert GIVEN in called
    for secret in (CANARY, key.key, "203.0.113.77"):
        assert secret not in called
