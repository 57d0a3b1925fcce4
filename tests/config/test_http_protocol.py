"""What comes over a connection before it is a request: slow, endless, malformed, or an upgrade."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from config import body_limit, http_protocol
from config.body_limit import BodyLimit
from config.boundary import ErrorBoundary
from config.request_ids import RequestIds

TIMEOUT_S = 0.4
STREAM = b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body; then answers with a word, or for two seconds, or with 50 MB."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(20 if scope["path"] == "/v1/stream" else 0):
        await send({"type": "http.response.body", "body": b"piece ", "more_body": True})
        await asyncio.sleep(0.1)
    for _ in range(500 if scope["path"] == "/v1/large" else 0):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await send({"type": "http.response.body", "body": b"answered"})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", TIMEOUT_S)
    monkeypatch.setattr(http_protocol, "WRITE_TIMEOUT_S", TIMEOUT_S)
    monkeypatch.setattr(body_limit, "GRACE_S", TIMEOUT_S)
    config = uvicorn.Config(
        RequestIds(ErrorBoundary(BodyLimit(app, limit=10_000_000))),
        http=http_protocol.Protocol,
        ws="none",
        port=0,
        lifespan="off",
        timeout_keep_alive=1,
        log_config=None,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def exchanged(port: int, *pieces: bytes, every_s: float = 0.05) -> bytes:
    """Returns all that is answered until the server closes. The last piece is sent again and again.

    What comes when it has closed resets the connection (RFC 9112, section 9.6): the answer was before that.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        for piece in (*pieces, *pieces[-1:] * 1000):
            writer.write(piece)
            await asyncio.sleep(every_s)

    sending = asyncio.create_task(send())
    answer = b""
    try:
        async with asyncio.timeout(30):
            with suppress(ConnectionResetError):
                while some := await reader.read(100_000):
                    answer += some
        return answer
    finally:
        sending.cancel()
        writer.close()


def error_in(answer: bytes, status: int) -> dict[str, Any]:
    """The error in OpenAI's envelope, or in that of the management API, whose form is checked."""
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert headers[b"x-request-id"].startswith(b"req_")
    assert headers[b"connection"] == b"close"
    if b"content-length" in headers:
        assert int(headers[b"content-length"]) == len(body)
    else:
        body = body.split(b"\r\n")[1]
    return dict(orjson.loads(body)["error"])


async def test_a_head_that_comes_byte_by_byte(port: int) -> None:
    answer = await exchanged(port, b"GET /v1/models HTTP/1.1\r\nx-a: ", b"a")
    assert error_in(answer, 408)["code"] == "request_timeout"


async def test_a_head_that_comes_in_two_pieces_is_in_order(port: int) -> None:
    answer = await exchanged(port, GET[:20], GET[20:-2] + b"Connection: close\r\n\r\n", b"")
    assert answer.endswith(b"answered\r\n0\r\n\r\n")


async def test_a_connection_on_which_nothing_comes_is_closed_without_a_word(port: int) -> None:
    assert await exchanged(port, b"") == b""


@pytest.mark.parametrize("piece", [b"a", b""])
async def test_a_body_that_comes_byte_by_byte(port: int, piece: bytes) -> None:
    answer = await exchanged(port, POST, piece)
    assert error_in(answer, 408)["code"] == "request_timeout"


async def test_a_large_body_may_take_its_time(port: int) -> None:
    head = POST.replace(b"1000", b"100000")
    # 1 s at 100 kB a second, where TIMEOUT_S is less.
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    for _ in range(20):
        writer.write(b"x" * 5_000)
        await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_an_answer_that_nobody_reads(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(GET.replace(b"models", b"large"))
    async with asyncio.timeout(30):
        while not writer.transport.is_closing():  # as it is when writing fails
            writer.write(b"\r\n")
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nx-a: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n" + b"x-a: a\r\n" * 20_000 + b"\r\n",
        b"GET /v1/models HTTP/1.1\r\nx-a: " + b"a" * 1_000_000,
    ],
)
async def test_a_head_over_the_limit(port: int, head: bytes) -> None:
    assert error_in(await exchanged(port, head, b""), 431)["code"] == "headers_too_large"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/\xff HTTP/1.1\r\n\r\n",
        b"GET /v1/\0 HTTP/1.1\r\n\r\n",
        b"GET /v1/models?a=\xff HTTP/1.1\r\n\r\n",
        b"GET /v1/models HTTP/3.0\r\n\r\n",
        b"BREW /v1/models HTTP/1.1\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nx-a: a\0b\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nnonsense\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_request(port: int, request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = await exchanged(port, request_, b"")
    assert error_in(answer, 400)["code"] == "malformed_request"
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://localhost HTTP/1.1\r\n\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\n\r\n",
        b"\r\n\r\nnonsense",
        b"GET /api/v1/mcp-tools HTTP/1.1\r\nnonsense\r\n\r\n",
    ],
)
async def test_what_is_not_for_the_openai_api_has_the_other_envelope(port: int, request_: bytes) -> None:
    assert error_in(await exchanged(port, request_, b""), 400)["type"] == "malformed_request"


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"nonsense"])
async def test_an_upgrade_is_not_made(port: int, upgrade: bytes, caplog: pytest.LogCaptureFixture) -> None:
    headers = b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\nSec-WebSocket-Key: AAAA\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):  # the connection goes on
        writer.write(GET[:-2] + headers + b"\r\n")
        async with asyncio.timeout(30):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            await reader.readuntil(b"0\r\n\r\n")
    writer.close()
    assert "pgrade" not in caplog.text


async def test_a_head_that_comes_during_an_answer_does_not_cut_it(port: int) -> None:
    answer = await exchanged(port, STREAM, b"", b"GET /v1/mo", b"")
    assert answer.count(b"piece ") == 20
    assert b"answered" in answer


async def test_what_is_no_request_does_not_get_into_an_answer(port: int) -> None:
    answer = await exchanged(port, STREAM, b"", b"", b"nonsense\r\n\r\n", b"")
    assert b"piece " in answer
    assert b"malformed" not in answer
