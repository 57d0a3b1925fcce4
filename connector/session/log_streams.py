"""Log messages of stateless servers: which request they are about, where their stream says so.

A message does not name its request, and callers share a session. By HTTP it comes on the request's stream.
"""

import re
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import orjson

LOG = "notifications/message"
PREFIX = "log-"
"""Of the id of a request whose caller wants log messages."""
_ID = re.compile(rb'"id"\s*:\s*"(' + PREFIX.encode() + rb'\d+)"')
_ID_WITHIN = 128  # bytes: the SDK writes the id second
_MARK = secrets.token_hex(16)  # no server can guess it


def request_of(params: dict[str, Any]) -> str:
    """Returns the id of the request that a log message came for, and removes the mark; "" if unknown."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or _MARK not in meta:
        return ""
    request_id = str(meta.pop(_MARK))
    if not meta:
        del params["_meta"]
    return request_id


class LogTransport(httpx2.AsyncBaseTransport):
    """Marks the log messages on the stream of a request, whose id begins with PREFIX."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        found = _ID.search(request.content[:_ID_WITHIN]) if request.method == "POST" else None
        if found and response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = _Marked(response.stream, found[1].decode())
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Marked(httpx2.AsyncByteStream):
    """Its chunks are whole lines: see CappedTransport."""

    def __init__(self, inner: object, request_id: str) -> None:
        assert isinstance(inner, httpx2.AsyncByteStream)  # noqa: S101 - an async transport has no other
        self._inner = inner
        self._request_id = request_id

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            has_log = LOG.encode() in chunk
            yield b"\n".join(map(self._marked, chunk.split(b"\n"))) if has_log else chunk

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _marked(self, line: bytes) -> bytes:
        if not line.startswith(b"data:") or LOG.encode() not in line:
            return line
        try:
            message = orjson.loads(line[5:])
        except orjson.JSONDecodeError:
            return line
        match message:
            case {"method": "notifications/message", "params": {"_meta": dict(meta)}}:
                meta[_MARK] = self._request_id
            case {"method": "notifications/message", "params": dict(params)}:
                params["_meta"] = {_MARK: self._request_id}
        return b"data: " + orjson.dumps(message)
