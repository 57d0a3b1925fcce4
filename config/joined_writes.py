"""One write for what belongs together: an answer's head and the first part of its body."""

import asyncio
from typing import Any

_AT_ONCE = 64 * 1024
"""Bytes that do not wait for more: as many as uvicorn lets wait before it pauses who writes."""


class JoinedWrites:
    """A transport that writes at the end of each turn of the loop what was written in it.

    uvicorn writes head and body one by one. Each is a system call, and wakes the client up, the first time to
    read a head of whose body nothing has come.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._flush)
        self._written.append(data)
        self._size += len(data)
        if self._size >= _AT_ONCE:
            self._flush()

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        written, self._written, self._size = self._written, [], 0
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))
