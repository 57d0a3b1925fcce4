"""A limit on the size of request bodies."""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Refusal = Callable[[int], dict[str, Any]]
"""Makes the error body for a limit in bytes."""


class _TooLarge(Exception):
    pass


class BodyLimit:
    """ASGI middleware. Bodies over `limit` bytes are answered with 413, before they are stored anywhere.

    Django's own limit (DATA_UPLOAD_MAX_MEMORY_SIZE) applies after the handler has written the whole body to a
    temporary file, however large it is.
    """

    def __init__(self, app: ASGIApp, *, limit: int, refusal: Refusal) -> None:
        self._app = app
        self._limit = limit
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _declared_length(scope) > self._limit:
            await _refuse(send, self._refusal(self._limit))
            return
        try:
            await self._app(scope, _counting(receive, self._limit), send)
        except _TooLarge:
            await _refuse(send, self._refusal(self._limit))


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            # Python refuses to convert more than 4,300 digits; 20 are enough for any limit.
            return int(value[:20])
    return 0


def _counting(receive: Receive, limit: int) -> Receive:
    """Returns a `receive` that raises _TooLarge: a declared length may be missing, or wrong."""
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
    # The rest of the body is not read, so the connection cannot be used for another request.
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})
