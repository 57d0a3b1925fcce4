"""A server below HTTP: it sends exactly the bytes that a test gives it, with pauses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.ports import listed_port

Answer = Sequence[bytes | float]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(body: bytes, size: int) -> list[bytes]:
    """One HTTP chunk for each `size` bytes, sent one by one."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return [HEAD, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


class RawUpstream:
    """Each request gets the next answer: bytes, and pauses in seconds. An empty one closes the connection."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.requests = 0
        self.base_url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while answer := await self._next_answer(reader):
                for piece in answer:
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                    else:
                        writer.write(piece)
                        await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _next_answer(self, reader: asyncio.StreamReader) -> Answer:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        self.requests += 1
        return self.answers.pop(0)


@asynccontextmanager
async def raw_upstream(*answers: Answer) -> AsyncIterator[RawUpstream]:
    upstream = RawUpstream(answers)
    port = listed_port()
    async with await asyncio.start_server(upstream._serve, "127.0.0.1", port):
        upstream.base_url = f"http://127.0.0.1:{port}/v1"
        yield upstream
