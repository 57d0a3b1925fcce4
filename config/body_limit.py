"""A bound on request bodies, by bytes really read and before they are kept: Django would spool them all."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Refusal = Callable[[int], dict[str, Any]]
"""Makes the error body for a limit in bytes."""


class _TooLarge(Exception):
    pass


def body_limit(app: ASGIApp, *, limit: int, refusal: Refusal) -> ASGIApp:
    """`app`, answering 413 to bodies over `limit` bytes."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if _declared_length(scope) > limit:
            await _refuse(send, refusal(limit))
            return
        try:
            await app(scope, _counting(receive, limit), send)
        except _TooLarge:
            await _refuse(send, refusal(limit))

    return limited


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _counting(receive: Receive, limit: int) -> Receive:
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _TooLarge
        return message

    return counted


async def _refuse(send: Send, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})
