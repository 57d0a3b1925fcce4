"""Counts requests, by the endpoint that they are for and the status of their answers."""

import time
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistants.mcp_endpoint import addresses as mcp_addresses
from core import metrics

_OPENAI = frozenset({"chat", "responses", "models", "embeddings"})
_FIRST = {
    "admin": "console",
    "static": "static",
    "health": "probes",
    "ready": "probes",
    "metrics": "metrics",
}
OTHER = "other"


class RequestMetrics:
    """ASGI middleware. A request whose caller left before the answer has the status "none"."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), "none"

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            endpoint = endpoint_of(scope["path"])
            metrics.REQUESTS.add(endpoint, status)
            metrics.REQUEST_SECONDS.observe(time.monotonic() - began, endpoint)


@lru_cache(maxsize=1024)
def endpoint_of(path: str) -> str:
    """Returns the endpoint's name, one of some ten: paths are written by callers."""
    if mcp_addresses.is_mcp(path):
        return "mcp"
    is_api = path.startswith("/api/")
    _, first, second, _, fourth, *_ = (*path.removeprefix("/api").split("/", 5), "", "", "", "", "")
    if first == "v1" and second in _OPENAI:
        return second
    if is_api:
        return "tools" if (second, fourth) == ("assistants", "tools") else "management"
    return _FIRST.get(first, OTHER)
