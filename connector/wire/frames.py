"""The frames in which a caller and a worker talk: many requests at once on one connection.

A frame is 4 bytes of length (of the payload, big-endian), 4 bytes that number the request, 1 byte of its
kind, and the payload, which is JSON. A payload longer than PART goes as several frames, all of whose kinds
but the last have the bit MORE: frames of other requests go between them.

The caller begins with HELLO `{"version", "token"}`, and the worker answers with HELLO `{"version"}`, or with
`{"refused"}` and the end of the connection. Then come REQUEST, `{"ask": name, "body"}`, and CANCEL from the
caller; the worker answers with any number of INTERIM and one LAST, in any order of requests, and to CANCEL
with nothing. `data_plane.server` names the requests.

Web processes and workers of two releases talk to each other while one replaces the other. So both ignore
kinds and fields that they do not know, and what is new gets a new name. VERSION rises only for what would
break that, and both then speak the lower one.
"""

import struct
from collections.abc import Iterator
from typing import Any

import orjson

VERSION = 1
HELLO, REQUEST, CANCEL, INTERIM, LAST = range(1, 6)
MORE = 0x80
MOST_REQUESTS = 2**32 - 1
"""Their numbers begin at 1, and begin anew where no number is left."""
PART = 64 * 1024
FRAME_LIMIT = 1024 * 1024
"""Of the payload of one frame. More than PART, so that a later release may send longer ones."""
_HEADER = struct.Struct(">IIB")


class BadFrame(Exception):
    """The peer sent what it may not send now. The text is for the log, and holds nothing of it."""


class FrameReader:
    """Splits a stream of bytes into frames, in linear time. `limit`: bytes of one payload."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Yields kind, request and payload of each frame that this chunk completes. Raises BadFrame."""
        buffer, begin = self._buffer, 0
        buffer += chunk
        try:
            while len(buffer) - begin >= _HEADER.size:
                length, request, kind = _HEADER.unpack_from(buffer, begin)
                if length > self.limit:
                    raise BadFrame(f"a frame of {length} bytes")
                end = begin + _HEADER.size + length
                if len(buffer) < end:
                    break
                payload = bytes(buffer[begin + _HEADER.size : end])
                begin = end
                yield kind, request, payload
        finally:
            del buffer[:begin]


def frame(kind: int, request: int, payload: bytes | memoryview) -> bytes:
    return _HEADER.pack(len(payload), request, kind) + payload


def content(payload: bytes | bytearray) -> dict[str, Any]:
    """Returns the object that a payload is. Raises BadFrame."""
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadFrame("a payload that is no JSON") from error
    if not isinstance(found, dict):
        raise BadFrame("a payload that is no object")
    return found
