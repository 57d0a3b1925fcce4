"""One end of a connection between a caller and a worker: whole messages over frames, each in its turn."""

import asyncio
import logging
import socket
from collections import deque
from typing import cast

from connector.wire.frames import FRAME_LIMIT, MORE, PART, BadFrame, FrameReader, frame

log = logging.getLogger(__name__)

HELLO_LIMIT = 4096
"""Bytes of a message before the peer has said who it is: one frame, so that no stranger fills memory."""
WRITE_AHEAD = 256 * 1024
"""Bytes that the transport holds. What is beyond them waits here, where each request has its turn."""
_LOSS = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
"""After 10 s or so without a sign of the other machine: seconds, a number, and milliseconds."""


class Channel(asyncio.Protocol):
    """Sends and receives messages; subclasses say what they mean.

    While the peer does not read, messages wait: in order for each request, and between requests in turn, a
    frame at a time, so that a large one holds no other up for long. Beyond `waiting_limit` bytes nothing is
    read any more: who asks must read the answers first. `message_limit`: bytes of one message.
    """

    def __init__(self, *, message_limit: int, waiting_limit: int) -> None:
        self._message_limit = message_limit
        self._waiting_limit = waiting_limit
        self._reader = FrameReader(HELLO_LIMIT)
        self._transport: asyncio.Transport | None = None
        self._arriving: dict[int, _Arriving] = {}
        self._waiting: dict[int, deque[_Waiting]] = {}
        self._waiting_bytes = 0
        self._is_writable = True
        self._is_reading = True

    def received(self, kind: int, request: int, payload: bytes | bytearray) -> None:
        """Called with each message. Raises BadFrame for one that ends the connection."""
        raise NotImplementedError

    def expects(self, request: int) -> bool:
        """Whether messages about this request are wanted."""
        return True

    def too_large(self, request: int) -> None:
        """Called once for a message beyond the limit, which is ignored."""
        raise BadFrame("a message beyond the limit")

    def closed(self) -> None:
        """Called when nothing comes any more."""

    @property
    def is_trusted(self) -> bool:
        return self._reader.limit == FRAME_LIMIT

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def trust(self) -> None:
        """Accepts frames of any size that is allowed: the peer has said who it is."""
        self._reader.limit = FRAME_LIMIT

    def send(self, kind: int, request: int, payload: bytes) -> None:
        """Sends a message, now or when the peer has read what comes before it; nothing once it is closed."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_writable and len(payload) <= PART:
            self._transport.write(frame(kind, request, payload))
            return
        self._waiting.setdefault(request, deque()).append(_Waiting(kind, request, payload))
        self._waiting_bytes += len(payload)
        self._write_waiting()

    def waiting(self, request: int) -> int:
        """Returns how many messages about this request wait."""
        return len(self._waiting.get(request, ()))

    def forget(self, request: int) -> None:
        """Drops what waits about a request, and what has come of an unfinished message."""
        self._arriving.pop(request, None)
        self._waiting_bytes -= sum(each.left for each in self._waiting.pop(request, ()))

    def close(self) -> None:
        """Closes the connection once the transport has sent what it holds. `closed` is called soon."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_AHEAD)
        _notice_loss(self._transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        try:
            for kind, request, payload in self._reader.feed(data):
                self._frame(kind, request, payload)
        except BadFrame as error:
            log.warning("A connection between a caller and a worker is ended: it sent %s.", error)
            self.abort()

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        self._write_waiting()

    def connection_lost(self, error: Exception | None) -> None:
        self._arriving.clear()
        self._waiting.clear()
        self._waiting_bytes = 0
        self.closed()

    def _frame(self, kind: int, request: int, payload: bytes) -> None:
        if kind & MORE and not self.is_trusted:
            raise BadFrame("a part of a message before its hello")
        if not self.expects(request):
            self._arriving.pop(request, None)
            return
        has_more, kind = bool(kind & MORE), kind & ~MORE
        begun = self._arriving.get(request)
        if begun is None or begun.kind != kind:  # a cancellation ends an unfinished request
            if not has_more and len(payload) <= self._message_limit:
                self._arriving.pop(request, None)
                self.received(kind, request, payload)
                return
            begun = self._arriving[request] = _Arriving(kind)
        self._collect(begun, request, payload)
        if not has_more:
            del self._arriving[request]
            if not begun.is_too_large:
                self.received(kind, request, begun.payload)

    def _collect(self, begun: "_Arriving", request: int, payload: bytes) -> None:
        if begun.is_too_large:
            return
        begun.payload += payload
        if len(begun.payload) > self._message_limit:
            begun.is_too_large = True
            begun.payload = bytearray()
            self.too_large(request)

    def _write_waiting(self) -> None:
        assert self._transport is not None  # noqa: S101 - it is connected
        while self._waiting and self._is_writable:
            request = next(iter(self._waiting))
            messages = self._waiting.pop(request)
            next_frame, size = messages[0].cut()
            self._waiting_bytes -= size
            if messages[0].left == 0:
                messages.popleft()
            if messages:
                self._waiting[request] = messages  # behind all others
            self._transport.write(next_frame)
        self._balance_reading(self._transport)

    def _balance_reading(self, transport: asyncio.Transport) -> None:
        if self._is_reading and self._waiting_bytes > self._waiting_limit:
            self._is_reading = False
            transport.pause_reading()
        elif not self._is_reading and self._waiting_bytes <= self._waiting_limit // 2:
            self._is_reading = True
            transport.resume_reading()


def _notice_loss(connection: socket.socket) -> None:
    """Has the system end a TCP connection whose other machine has gone without a word."""
    if connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Not every system has all of them.
    for name, value in _LOSS.items():
        if (option := getattr(socket, name, None)) is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class _Arriving:
    """A message whose last frame has not come yet."""

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.payload = bytearray()
        self.is_too_large = False


class _Waiting:
    """A message that waits, or what is left of it. `left`: bytes; 0 once all of it is cut."""

    def __init__(self, kind: int, request: int, payload: bytes) -> None:
        self.left = len(payload)
        self._kind = kind
        self._request = request
        self._payload = memoryview(payload)

    def cut(self) -> tuple[bytes, int]:
        """Returns the next frame, and the bytes of its payload."""
        part = self._payload[:PART]
        self._payload = self._payload[PART:]
        self.left -= len(part)
        return frame(self._kind | (MORE if self.left else 0), self._request, part), len(part)
