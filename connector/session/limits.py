"""The limit on a remote server's messages: one that is too large becomes an error for its own call.

The SDK limits an event by ending the whole stream, and does not limit a JSON body at all.
"""

from collections.abc import AsyncIterator

import httpx2
import orjson

from connector.session.unreadable import BY_TRANSPORT
from connector.wire.lines import LineSplitter, Oversized

OUTPUT_TOO_LARGE = -31999  # ours: outside the ranges of JSON-RPC and of the SDK
TOO_LARGE_TEXT = "The answer is over the limit"


class CappedTransport(httpx2.AsyncBaseTransport):
    """Passes on messages of up to `limit` bytes; refuses compressed ones, whose real size nobody knows."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        # A few kB of gzip can become gigabytes behind this transport, where nothing counts them.
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("The answer is compressed.", request=request)
        is_events = response.headers.get("content-type", "").startswith("text/event-stream")
        capped = _CappedEvents if is_events else _CappedBody
        response.stream = capped(response.stream, self._limit)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Capped(httpx2.AsyncByteStream):
    def __init__(self, inner: object, limit: int) -> None:
        assert isinstance(inner, httpx2.AsyncByteStream)  # noqa: S101 - an async transport has no other
        self._inner = inner
        self._limit = limit

    async def aclose(self) -> None:
        await self._inner.aclose()


class _CappedBody(_Capped):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._limit:
                raise httpx2.StreamError(TOO_LARGE_TEXT)
            yield chunk


class _CappedEvents(_Capped):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        splitter = LineSplitter(self._limit)
        async for chunk in self._inner:
            fed = splitter.feed(chunk)
            lines = [too_large(line) if isinstance(line, Oversized) else line for line in fed]
            if lines:
                yield b"\n".join(lines) + b"\n"


def too_large(line: Oversized) -> bytes:
    """Returns the event line of an error that takes the place of an oversized message."""
    error = {"code": OUTPUT_TOO_LARGE, "message": TOO_LARGE_TEXT, "data": BY_TRANSPORT}
    request_id = line.request_id()
    parsed = None if request_id is None else orjson.loads(request_id)
    return b"data: " + orjson.dumps({"jsonrpc": "2.0", "id": parsed, "error": error})
