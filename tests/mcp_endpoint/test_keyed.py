"""The proxy that adds a key changes nothing else."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.mcp_endpoint.keyed import keyed

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


class Origin:
    """A server that answers with the head of the request that it got, once `answers` is set."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.is_left = asyncio.Event()
        self.is_reached = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.is_reached.set()
        leaving = asyncio.create_task(reader.read())
        answering = asyncio.create_task(self.answers.wait())
        await asyncio.wait([leaving, answering], return_when=asyncio.FIRST_COMPLETED)
        if self.answers.is_set():
            writer.write(ANSWER + head)
            leaving.cancel()
        else:
            self.is_left.set()
            answering.cancel()
        writer.close()


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    origin = Origin()
    async with await asyncio.start_server(origin.serve, "127.0.0.1", 0) as server:
        origin.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        yield origin


async def test_a_request_gets_the_key_and_keeps_the_rest(origin: Origin) -> None:
    origin.answers.set()
    headers = {
        "Host": "evil.example.com",
        "Origin": "http://evil.example.com",
        "Authorization": "Bearer other",
    }
    async with keyed(origin.url, "the-key") as url, httpx2.AsyncClient() as client:
        head = (await client.post(url, headers=headers, content=b"{}")).text.lower()
    assert head.startswith("post /mcp http/1.1\r\nhost: evil.example.com\r\n")
    assert "\r\norigin: http://evil.example.com\r\n" in head
    assert "\r\nauthorization: bearer the-key\r\n" in head
    assert "other" not in head


async def test_a_client_that_leaves_is_gone_for_the_server_too(origin: Origin) -> None:
    async with keyed(origin.url, "the-key") as url, httpx2.AsyncClient() as client:
        request = asyncio.create_task(client.get(url))
        await asyncio.wait_for(origin.is_reached.wait(), 5)
        request.cancel()
        await asyncio.wait_for(origin.is_left.wait(), 5)
