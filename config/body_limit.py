"""A limit on the size of request bodies."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import request_too_large


class BodyLimit:
    """ASGI middleware. Raises InvalidRequest (413) for bodies over `limit` bytes, before they are stored.

    Django's own limit (DATA_UPLOAD_MAX_MEMORY_SIZE) applies after the handler has written the whole body to a
    temporary file, however large it is.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _declared_length(scope) > self._limit:
            raise request_too_large(self._limit)
        await self._app(scope, _counting(receive, self._limit), send)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            # Python refuses to convert more than 4,300 digits; 20 are enough for any limit.
            return int(value[:20])
    return 0


def _counting(receive: Receive, limit: int) -> Receive:
    """Returns a `receive` that raises the same: a declared length may be missing, or wrong."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise request_too_large(limit)
        return message

    return counted
