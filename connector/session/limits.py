"""What a remote server's messages are spared before the SDK reads them: size, broken characters, floods.

One that is too large becomes an error for its own call: the SDK limits an event by ending the whole stream,
and does not limit a JSON body at all. Broken characters are repaired: of what it cannot parse, the SDK knows
no id.
"""

from collections.abc import AsyncIterator

import httpx2
import orjson

from connector.session.notification_limit import NotificationLimit
from connector.session.unreadable import BY_TRANSPORT
from connector.wire.lines import LineSplitter, Oversized
from core.repaired_json import loads, repaired

_SURROGATE = rb"\ud"
OUTPUT_TOO_LARGE = -31999  # ours: outside the ranges of JSON-RPC and of the SDK
TOO_LARGE_TEXT = "The answer is over the limit"


class CappedTransport(httpx2.AsyncBaseTransport):
    """Passes on messages of up to `limit` bytes; refuses compressed ones, whose real size nobody knows."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, limit: int) -> None:
        self._inner = inner
        self._limit = limit
        # One for all streams of the session: a server may spread its notifications over them.
        self._notifications = NotificationLimit()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        # A few kB of gzip can become gigabytes behind this transport, where nothing counts them.
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("The answer is compressed.", request=request)
        is_events = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = self.capped(response.stream, is_events=is_events)
        return response

    def capped(self, stream: object, *, is_events: bool) -> httpx2.AsyncByteStream:
        """Returns a stream that passes on what may pass."""
        if is_events:
            return _CappedEvents(stream, self._limit, self._notifications)
        return _CappedBody(stream, self._limit)

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
        chunks: list[bytes] = []
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._limit:
                raise httpx2.StreamError(TOO_LARGE_TEXT)
            chunks.append(chunk)
        # Whole: the SDK, too, reads a body to its end before it does anything with it.
        yield _repaired(b"".join(chunks))


class _CappedEvents(_Capped):
    def __init__(self, inner: object, limit: int, notifications: NotificationLimit) -> None:
        super().__init__(inner, limit)
        self._notifications = notifications
        self._chunks = aiter(self._inner)
        self._splitter = LineSplitter(limit)

    # No generator: see `http_client`.
    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        lines: list[bytes] = []
        while not lines:
            lines = await self._passed(await anext(self._chunks))
        return b"\n".join(lines) + b"\n"

    async def _passed(self, chunk: bytes) -> list[bytes]:
        """Returns the lines that a chunk completes and that pass."""
        lines: list[bytes] = []
        for line in self._splitter.feed(chunk):
            if isinstance(line, Oversized):
                lines.append(too_large(line))
            elif line.startswith(b"data:") and await self._notifications.drops(line[5:]):
                # The SDK would build an event of its name alone, and pass over it: for a flood, too dear.
                if lines and lines[-1].startswith(b"event:"):
                    lines.pop()
            else:
                lines.append(_repaired_event(line))
        return lines


def _repaired_event(line: bytes) -> bytes:
    field, colon, value = line.partition(b":")
    return line if field != b"data" else field + colon + _repaired(value)


def _repaired(text: bytes) -> bytes:
    """Returns JSON that every parser reads, and anything else as it is."""
    # Only these make JSON unreadable that is in order otherwise, and few messages have any of them.
    if text.isascii() and _SURROGATE not in text.lower():
        return text
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return orjson.dumps(repaired(loads(text)))
        except ValueError:
            return text
    return text


def too_large(line: Oversized) -> bytes:
    """Returns the event line of an error that takes the place of an oversized message."""
    error = {"code": OUTPUT_TOO_LARGE, "message": TOO_LARGE_TEXT, "data": BY_TRANSPORT}
    request_id = line.request_id()
    parsed = None if request_id is None else orjson.loads(request_id)
    return b"data: " + orjson.dumps({"jsonrpc": "2.0", "id": parsed, "error": error})
