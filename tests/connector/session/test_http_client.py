"""The HTTP client of MCP sessions: what it sends, its errors, and which connections it keeps."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from aiohttp import web

from connector.session import http_client
from connector.session.egress_transport import EgressFilteredTransport

EVENT = b"data: {}\n\n"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Start = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def start(settings: Any) -> AsyncIterator[Start]:
    """`url = await start(handler)`"""
    runners: list[web.ServerRunner] = []

    async def listen(handler: Handler) -> str:
        runners.append(web.ServerRunner(web.Server(handler, handler_cancellation=True)))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        host, port = runners[-1].addresses[0]
        settings.ALLOWED_PRIVATE_HOSTS = [f"{host}:{port}"]
        return f"http://{host}:{port}"

    yield listen
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=EgressFilteredTransport(), timeout=5) as client:
        yield client


class Stream:
    """Answers by one event, and ends its stream `after_s`. It stores its connections, and who hung up."""

    def __init__(self, after_s: float) -> None:
        self.connections: set[Any] = set()
        self.is_cancelled = asyncio.Event()
        self._after_s = after_s

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.connections.add(request.transport)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(EVENT)
        try:
            await asyncio.sleep(self._after_s)
        except asyncio.CancelledError:
            self.is_cancelled.set()
            raise
        return response


async def first_event(client: httpx2.AsyncClient, url: str) -> bytes:
    async with client.stream("POST", url, json={}) as response:
        return await anext(response.aiter_bytes())


async def test_a_stream_that_ends_after_its_answer_leaves_its_connection_to_the_next_request(
    start: Start, client: httpx2.AsyncClient
) -> None:
    server = Stream(0.05)
    url = await start(server)
    for _ in range(3):
        assert await first_event(client, url) == EVENT
        await asyncio.sleep(0.2)
    assert len(server.connections) == 1
    assert not server.is_cancelled.is_set()


async def test_a_stream_that_goes_on_after_its_answer_is_closed(
    start: Start, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "DRAIN_S", 0.1)
    server = Stream(60)
    await first_event(client, await start(server))
    await asyncio.wait_for(server.is_cancelled.wait(), 5)


async def test_a_reader_that_is_cancelled_closes_the_connection_at_once(
    start: Start, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "DRAIN_S", 60)
    server = Stream(60)
    reading = asyncio.create_task(client.post(await start(server)))
    while not server.connections:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    reading.cancel()
    await asyncio.wait_for(server.is_cancelled.wait(), 5)


async def test_a_request_is_sent_as_httpx2_has_made_it(start: Start, client: httpx2.AsyncClient) -> None:
    async def tell(request: web.BaseRequest) -> web.Response:
        body = (await request.read()).decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        found = {"path": request.raw_path, "body": body, "headers": headers}
        return web.json_response(found, status=299, reason="Odd", headers={"Set-Cookie": "a=b"})

    url = (await start(tell)).replace("//", "//user:word@")
    sent = client.build_request("POST", f"{url}/a%2Fb%41?c=%20", content=b"hello", headers={"X-One": "1"})
    answer = await client.send(sent)
    assert (answer.status_code, answer.reason_phrase) == (299, "Odd")
    told = answer.json()
    assert (told["path"], told["body"]) == ("/a%2Fb%41?c=%20", "hello")
    assert told["headers"] == dict(sent.headers)
    assert (await client.get(url)).json()["headers"]["cookie"] == "a=b"


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"who are you?\r\n\r\n")
    writer.close()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        pass
    writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
    writer.close()


@pytest.mark.parametrize(
    ("way", "error"),
    [
        (garbage, httpx2.RemoteProtocolError),
        (hang_up, (httpx2.NetworkError, httpx2.RemoteProtocolError)),
        (half, httpx2.RemoteProtocolError),
        (silence, httpx2.ReadTimeout),
    ],
)
async def test_an_answer_that_cannot_be_read_is_an_error_of_httpx2(
    way: Any, error: Any, client: httpx2.AsyncClient, settings: Any
) -> None:
    server = await asyncio.start_server(way, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    settings.ALLOWED_PRIVATE_HOSTS = [f"{host}:{port}"]
    with pytest.raises(error):
        await client.get(f"http://{host}:{port}/", timeout=0.5)
    server.close()


async def test_a_server_that_does_not_listen_is_an_error_of_httpx2(
    client: httpx2.AsyncClient, settings: Any
) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ["127.0.0.1:9"]
    with pytest.raises(httpx2.ConnectError):
        await client.get("http://127.0.0.1:9/")


async def test_a_header_that_cannot_be_sent_is_an_error_of_httpx2(
    start: Start, client: httpx2.AsyncClient
) -> None:
    url = await start(Stream(0))
    with pytest.raises(httpx2.LocalProtocolError):
        await client.get(url, headers={"X-One": "1\r\nX-Two: 2"})
