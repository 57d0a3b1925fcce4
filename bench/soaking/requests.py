"""What a soak asks: every kind of request that the product is made for, and invalid ones."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from bench.loading.loads import BY_KEY, TEXT
from bench.loading.product import Product
from bench.loading.targets import INITIALIZE, Ask

Judge = Callable[[int, bytes, bytes], bool]
"""Tells whether a status and a body are the right answer to a request with this text of its own."""
READS = (
    "assistants", "mcp-tools", "mcp-tools?search=echo", "runs", "sessions", "usage", "providers", "rules",
    "approvals", "webhooks", "me", "api-keys",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One caller's requests, sent in turn, each `pause_s` after the answer to the one before."""

    name: str
    asks: list[Ask]
    is_right: Judge
    pause_s: float


@dataclass(frozen=True, slots=True)
class Invalid:
    """A request and the status that it must get. `has_key`: whether it comes with the caller's key."""

    name: str
    ask: Ask
    status: int
    has_key: bool = True


def kinds(target: Product) -> list[Kind]:
    """Returns the callers of a soak: about 50 requests a second on a machine that is not busy."""
    one, twenty = _counts(b"word", 1), _counts(b"word", 20, b"[DONE]")
    one_streamed, events = _counts(b"word", 1, b"[DONE]"), _counts(b"event: response.completed", 1)
    return [
        Kind("chat", [_chat("chunks-1")], one, 0.1),
        Kind("streamed chat, 20 chunks", [_chat("chunks-20", stream=True)], twenty, 0.2),
        Kind("chat, one tool over stdio", [_chat("tool-stdio")], one, 0.3),
        Kind("chat, one tool over HTTP", [_chat("tool-http")], one, 0.3),
        Kind("streamed chat, one tool", [_chat("tool-stdio", stream=True)], one_streamed, 0.5),
        # Below the 5 s after which a web process closes a connection without a request.
        Kind("chat of 400 KB", [_chat("chunks-1", words=66_000)], one, 3.0),
        Kind("Responses", [_response("chunks-1")], _is_completed, 0.3),
        Kind("Responses, one tool", [_response("tool-http")], _is_completed, 0.5),
        Kind("Responses, streamed", [_response("chunks-20", stream=True)], events, 0.3),
        Kind("Responses, not stored", [_response("chunks-1", store=False)], _is_completed, 0.5),
        _mcp(target, "call-stdio", 0.1),
        _mcp(target, "call-http", 0.1),
        _mcp(target, "list-200", 0.3),
        Kind("reads of the REST API", [Ask("GET", f"/api/v1/{path}") for path in READS], _is_json, 0.3),
    ]


def invalid() -> list[Invalid]:
    """Returns requests that must be refused, each with a status of its own kind."""
    chats, message = "/v1/chat/completions", [{"role": "user", "content": "hello"}]
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    return [
        Invalid("no JSON", Ask("POST", chats, b'{"model": '), 400),
        Invalid("no messages", _post(chats, model="chunks-1"), 400),
        Invalid("an unknown model", _post(chats, model="nobody", messages=message), 404),
        Invalid("no key", _post(chats, model="chunks-1", messages=message), 401, has_key=False),
        Invalid("an unknown response", Ask("GET", "/v1/responses/resp_unknown"), 404),
        Invalid("a response without input", _post("/v1/responses", model="chunks-1"), 400),
        Invalid("another method", Ask("PUT", "/api/v1/me", b"{}"), 405),
        Invalid("a server without a name", _post("/api/v1/mcp-tools", command="python"), 422),
        Invalid("an unknown path", Ask("GET", "/api/v1/nothing"), 404),
        Invalid("an unknown server", _post("/mcp/s/nobody", **opening), 404),
        Invalid("MCP without a session", _post("/mcp/s/echo-http", **listing), 400),
    ]


def _chat(model: str, *, words: int = 0, **more: object) -> Ask:
    """A conversation that nobody has had before: caches must not grow by it for ever."""
    content = f"hello {TEXT} " + "hello " * words
    return _post("/v1/chat/completions", model=model, messages=[{"role": "user", "content": content}], **more)


def _response(model: str, **more: object) -> Ask:
    return _post("/v1/responses", model=model, input=f"hello {TEXT}", **more)


def _post(path: str, **body: object) -> Ask:
    return Ask("POST", path, orjson.dumps(body))


def _mcp(target: Product, key: str, pause_s: float) -> Kind:
    load = BY_KEY[key]

    def is_right(status: int, body: bytes, text: bytes) -> bool:
        return status == 200 and load.is_right(body, text)

    return Kind(load.name, list(target.asks(load)), is_right, pause_s)


def _counts(word: bytes, times: int, *also: bytes) -> Judge:
    def is_right(status: int, body: bytes, _: bytes) -> bool:
        return status == 200 and body.count(word) == times and all(each in body for each in also)

    return is_right


def _is_completed(status: int, body: bytes, _: bytes) -> bool:
    return status == 200 and orjson.loads(body)["status"] == "completed" and b"word" in body


def _is_json(status: int, body: bytes, _: bytes) -> bool:
    return status == 200 and orjson.loads(body) is not None
