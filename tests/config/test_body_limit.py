from collections.abc import Sequence
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from config.body_limit import BodyLimit


async def reading_app(scope: Scope, receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def request(chunks: Sequence[bytes], *, declared: int | None = None) -> tuple[int, bytes, int]:
    """Returns the status, the body, and the number of chunks that were read."""
    sent: list[Any] = []
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if declared is None else [(b"content-length", str(declared).encode())]
    app = BodyLimit(reading_app, limit=10, refusal=lambda limit: {"limit": limit})
    await app({"type": "http", "headers": headers}, receive, send)
    return sent[0]["status"], sent[1]["body"], len(chunks) - len(left)


async def test_a_body_up_to_the_limit_passes() -> None:
    assert await request([b"12345", b"67890"], declared=10) == (200, b"10", 2)


async def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    status, body, read = await request([b"x"], declared=11)
    assert (status, orjson.loads(body), read) == (413, {"limit": 10}, 0)


async def test_undeclared_bytes_are_counted_as_they_come() -> None:
    status, _, read = await request([b"12345", b"67890", b"1", b"never read"])
    assert (status, read) == (413, 3)


async def test_an_understated_length_does_not_help() -> None:
    assert (await request([b"12345678901"], declared=1))[0] == 413
