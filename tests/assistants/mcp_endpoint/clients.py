"""Clients of the MCP endpoint: the official SDK in both eras, and plain HTTP requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

ERAS = ("legacy", "auto")
"""Modes of the SDK's client: it begins with `initialize`, or finds the stateless era by `server/discover`."""
JSON_AND_EVENTS = "application/json, text/event-stream"
STATELESS = "2026-07-28"


@asynccontextmanager
async def connected(url: str, key: str, *, era: str, **options: Any) -> AsyncIterator[Client]:
    """Yields a client of the SDK. `era`: one of ERAS."""
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=era, **options) as client,
    ):
        yield client


class Caller:
    """Sends single messages to one address, as a client of either era would."""

    def __init__(self, url: str, key: str, **headers: str) -> None:
        self.url = url
        bearer = {"authorization": f"Bearer {key}"} if key else {}
        self.http = httpx2.Client(headers={"accept": JSON_AND_EVENTS, **bearer, **headers}, timeout=30)
        self.session = ""

    def initialize(self, version: str = "2025-11-25", **capabilities: Any) -> httpx2.Response:
        """Opens a session, which later messages belong to."""
        params = {
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": {"name": "tests", "version": "1"},
        }
        answer = self.post({"method": "initialize", "params": params})
        if "mcp-session-id" in answer.headers:
            self.session = answer.headers["mcp-session-id"]
            self.http.headers["mcp-session-id"] = self.session
        return answer

    def post(self, message: dict[str, Any], **headers: str) -> httpx2.Response:
        """Sends a message, with an id unless it has one or is a notification."""
        body = {"jsonrpc": "2.0", **message}
        if not message.get("method", "").startswith("notifications/"):
            body = {"id": 1, **body}
        return self.http.post(self.url, json=body, headers=headers)

    def request(self, method: str, **params: Any) -> httpx2.Response:
        return self.post({"method": method, "params": params})

    def stateless(self, method: str, *, header: str = "", meta: Any = None, **params: Any) -> httpx2.Response:
        """Sends a request of the stateless era. `header`: Mcp-Name."""
        envelope = {
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientCapabilities": {},
            **(meta or {}),
        }
        headers = {"mcp-protocol-version": STATELESS, "mcp-method": method}
        if header:
            headers["mcp-name"] = header
        return self.post({"method": method, "params": {**params, "_meta": envelope}}, **headers)
