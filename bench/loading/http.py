"""HTTP/1.1 as a load generator needs it: it costs less than what it measures."""

import asyncio
import time
from dataclasses import dataclass

MOST_BYTES = 16 * 2**20
WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`first_s`: the seconds from the request to the first bytes that hold the mark; `took_s`: to the end."""

    status: int
    head: bytes
    body: bytes
    first_s: float
    took_s: float

    def header(self, name: bytes) -> bytes:
        """Returns the value of a header, given in lower case; empty without it."""
        _, found, rest = self.head.lower().partition(b"\r\n" + name + b":")
        start = len(self.head) - len(rest)
        return self.head[start:].partition(b"\r\n")[0].strip() if found else b""


class Connection:
    """One connection that is kept: one request at a time. A broken one is opened anew by the next request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def exchange(self, request: bytes, mark: bytes = b"") -> Answer:
        """Sends the bytes of a request. Raises OSError, TimeoutError or EOFError when it is not answered."""
        try:
            async with asyncio.timeout(WITHIN_S):
                if self._writer is None:
                    opened = asyncio.open_connection("127.0.0.1", self._port, limit=MOST_BYTES)
                    self._reader, self._writer = await opened
                return await self._exchange(request, mark, self._writer)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _exchange(self, request: bytes, mark: bytes, writer: asyncio.StreamWriter) -> Answer:
        began, first = time.perf_counter(), 0.0
        writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower, parts = head.lower(), []
        is_chunked = b"transfer-encoding: chunked" in lower
        while part := await (self._chunk() if is_chunked else self._reader.readexactly(_length(lower))):
            parts.append(part)
            if not first and mark in part:
                first = time.perf_counter() - began
            if not is_chunked:
                break
        took = time.perf_counter() - began
        if b"connection: close" in lower:
            self.close()
        return Answer(int(head[9:12]), head, b"".join(parts), first or took, took)

    async def _chunk(self) -> bytes:
        size = int(await self._reader.readline(), 16)
        return (await self._reader.readexactly(size + 2))[:-2]


def _length(head: bytes) -> int:
    return int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


def request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
