import logging
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from config.request_ids import RequestIdFilter, RequestIds


async def answering_app(scope: Scope, receive: Receive, send: Send) -> None:
    record = logging.makeLogRecord({})
    RequestIdFilter().filter(record)
    seen = dict(scope["headers"])[b"x-request-id"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": seen + b" " + record.request_id.encode()})


async def request(*headers: tuple[bytes, bytes]) -> tuple[str, str, str]:
    """Returns the id in the response, in the headers that the app got, and in a log line."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await RequestIds(answering_app)({"type": "http", "headers": list(headers)}, receive, send)
    (header,) = (value for name, value in sent[0]["headers"] if name == b"x-request-id")
    seen, logged = sent[1]["body"].decode().split()
    return header.decode(), seen, logged


async def test_each_request_gets_an_id_of_its_own() -> None:
    first, second = await request(), await request()
    assert first[0].startswith("req_")
    assert len(set(first)) == 1
    assert first[0] != second[0]


async def test_the_callers_id_is_used() -> None:
    assert await request((b"x-request-id", b"abc-1")) == ("abc-1",) * 3


@pytest.mark.parametrize(
    "headers",
    [[b""], [b"x" * 129], [b"a b"], [b"a\r\nset-cookie: x"], ["é".encode()], [b"one", b"two"]],
)
async def test_a_strange_id_is_replaced(headers: list[bytes]) -> None:
    answered = await request(*((b"x-request-id", value) for value in headers))
    assert answered[0].startswith("req_")
    assert len(set(answered)) == 1
