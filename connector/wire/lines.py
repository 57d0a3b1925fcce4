"""Splitting a stream of bytes into lines, in linear time and bounded memory."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ENDS = 1024
_ID = rb'"id"\s*:\s*(\d{1,18}|"[^"\\]{1,128}")'
_ID_AT_START = re.compile(rb'(?:data:)?\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _ID)
_ID_AT_END = re.compile(_ID + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z')


@dataclass(frozen=True, slots=True)
class Oversized:
    """The two ends of a line that is longer than the limit."""

    head: bytes
    tail: bytes

    def request_id(self) -> bytes | None:
        """Returns the JSON-RPC id as JSON, or None if it stands neither first nor last in the object.

        The line may be one of server-sent events (`data: `).
        """
        found = _ID_AT_START.match(self.head) or _ID_AT_END.search(self.tail)
        return found[1] if found else None


class LineSplitter:
    """Splits chunks into lines, without newlines; one longer than `limit` bytes becomes an `Oversized`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes | Oversized]:
        """Yields the lines that this chunk completes."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._store(part)
            yield self._pop()
        if rest:
            self._store(rest)

    def _store(self, part: bytes) -> None:
        # A list that is joined once: appending to bytes would copy a line of many chunks again and again.
        self._parts.append(part)
        self._size += len(part)
        if self._head is None and self._size <= self._limit:
            return
        joined = b"".join(self._parts)
        if self._head is None:
            self._head = joined[:_ENDS]
        self._parts = [joined[-_ENDS:]]  # what may yet turn out to be the end of the line

    def _pop(self) -> bytes | Oversized:
        joined, head = b"".join(self._parts), self._head
        self._parts, self._size, self._head = [], 0, None
        return joined if head is None else Oversized(head, joined)
