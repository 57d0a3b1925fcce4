"""A proxy that adds a key to each request: for clients that cannot send one themselves.

It changes nothing else, Host and Origin included, and ends its request when its client leaves.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

HEAD_LIMIT = 65536


@asynccontextmanager
async def keyed(url: str, key: str) -> AsyncIterator[str]:
    """A URL of this machine, at which each request reaches `url` with `key` as its bearer token."""
    target = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            answers, there = await asyncio.open_connection(target.hostname, target.port)
            there.write(_with_key(head, key))
            await _first_to_end(_copy(reader, there), _copy(answers, writer))
            there.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=HEAD_LIMIT) as server:
        port = server.sockets[0].getsockname()[1]
        yield target._replace(netloc=f"127.0.0.1:{port}").geturl()


def _with_key(head: bytes, key: str) -> bytes:
    """Makes it the only request of its connection: where the next one begins needs not be known."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"authorization:"))]
    added = [b"Connection: close", b"Authorization: Bearer " + key.encode()]
    return b"\r\n".join([first, *kept, *added, b"", b""])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(HEAD_LIMIT):
        writer.write(part)
        await writer.drain()


async def _first_to_end(*copies: object) -> None:
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
