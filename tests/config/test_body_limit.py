from collections.abc import Sequence
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from config.body_limit import BodyLimit
from config.boundary import ErrorBoundary


async def reading_app(scope: Scope, receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def request(
    chunks: Sequence[bytes],
    *,
    declared: int | None = None,
    path: str = "/v1/chat/completions",
    more: Sequence[tuple[bytes, bytes]] = (),
) -> tuple[int, bytes, int]:
    """Status, body, and how many chunks were read."""
    sent: list[Any] = []
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if declared is None else [(b"content-length", str(declared).encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b""}
    scope |= {"headers": [*headers, *more]}
    await ErrorBoundary(BodyLimit(reading_app, limit=10))(scope, receive, send)
    return sent[0]["status"], sent[1]["body"], len(chunks) - len(left)


async def test_a_body_up_to_the_limit_passes() -> None:
    assert await request([b"12345", b"67890"], declared=10) == (200, b"10", 2)


async def test_a_declared_length_over_the_limit_is_refused() -> None:
    status, body, read = await request([b"x", b"y"], declared=11)
    # All is read: else the connection would be reset before the caller has read why.
    assert (status, orjson.loads(body)["error"]["code"], read) == (413, "request_too_large", 2)


async def test_a_caller_who_waits_to_be_asked_for_the_body_is_not() -> None:
    status, _, read = await request([b"x"], declared=11, more=[(b"expect", b"100-continue")])
    assert (status, read) == (413, 0)


async def test_undeclared_bytes_are_counted_as_they_come() -> None:
    status, _, read = await request([b"12345", b"67890", b"1", b"discarded"])
    assert (status, read) == (413, 4)


async def test_an_understated_length_does_not_help() -> None:
    assert (await request([b"12345678901"], declared=1))[0] == 413


async def test_the_envelope_is_the_one_of_the_path() -> None:
    status, body, _ = await request([b"x"], declared=11, path="/api/v1/mcp-tools")
    assert (status, orjson.loads(body)["error"]["type"]) == (413, "request_too_large")
