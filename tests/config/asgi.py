"""Requests to the application in this process, as a server makes them: without a connection or a lifespan."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from apikeys.actions import IssuedKey
from config.application import create_application, lifespan
from core import feed


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def is_openais(self) -> bool:
        """Whether it is an error in OpenAI's envelope; else it must be one of the management API."""
        assert self.headers["x-request-id"]
        if set(self.json) == {"error"}:
            assert set(self.json["error"]) == {"message", "type", "param", "code"}
            return True
        assert set(self.json) == {"success", "error", "timestamp"}
        assert self.json["error"]["details"]["request_id"] == self.headers["x-request-id"]
        return False


async def messages(path: str, kind: str = "http", **scope: Any) -> list[dict[str, Any]]:
    """Returns what the application sends for a request, by default a GET. `body` is its body."""
    sent: list[Any] = []
    body = [{"type": "http.request", "body": scope.pop("body", b""), "more_body": False}]

    async def receive() -> Any:
        return body.pop() if body else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    request = {
        "type": kind,
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
    }
    host = {"headers": [(b"host", b"localhost")]}
    await create_application()({**request, **host, **scope}, receive, send)
    return sent


async def ask(path: str, kind: str = "http", **scope: Any) -> Answer:
    start, *bodies = await messages(path, kind, **scope)
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in bodies))


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """Enters the application's lifespan, and waits until its caches are trusted."""
    async with lifespan(None):
        await feed_is_live()
        yield


async def feed_is_live() -> None:
    """Waits until the change feed of this process listens: it hears of nothing before."""
    async with asyncio.timeout(10):
        while feed.max_age() != float("inf"):
            await asyncio.sleep(0.01)


async def request(key: IssuedKey, method: str, path: str, **fields: Any) -> Answer:
    """Makes a request with a key; `fields` are its body."""
    body = orjson.dumps(fields) if fields else b""
    headers = [
        (b"host", b"localhost"),
        (b"authorization", f"Bearer {key.key}".encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    return await ask(path, method=method, headers=headers, body=body)
