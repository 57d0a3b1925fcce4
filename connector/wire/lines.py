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
    """A line longer than the limit: only its two ends were kept."""

    head: bytes
    tail: bytes

    def request_id(self) -> bytes | None:
        """The JSON-RPC id as JSON, where it can be told without the line: it stands first or last.

        The line may be that of an event (`data: `).
        """
        found = _ID_AT_START.match(self.head) or _ID_AT_END.search(self.tail)
        return found[1] if found else None


class LineSplitter:
    """Lines without their end, longer ones than `limit` bytes as `Oversized`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes | Oversized]:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._keep(part)
            yield self._take()
        if rest:
            self._keep(rest)

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._head is None and self._size <= self._limit:
            return
        joined = b"".join(self._parts)
        if self._head is None:
            self._head = joined[:_ENDS]
        self._parts = [joined[-_ENDS:]]

    def _take(self) -> bytes | Oversized:
        joined, head = b"".join(self._parts), self._head
        self._parts, self._size, self._head = [], 0, None
        return joined if head is None else Oversized(head, joined)
