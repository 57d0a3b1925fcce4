"""Limits on the size and the pace of request bodies."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import RequestTimeout, request_too_large

GRACE_S = 20.0
LEAST_RATE = 4 * 1024  # bytes a second
_DISCARD_S = 2.0


class BodyLimit:
    """ASGI middleware. Raises InvalidRequest (413) for bodies over `limit` bytes, before they are stored.

    Raises RequestTimeout (408) for a body that does not come whole in 20 s, and a second more for each 4
    KiB of it. The rule is the one of Apache's mod_reqtimeout: a time limit alone would cut off large images
    on slow lines, and a limit on the silence between two bytes would let a body take for ever.

    Django's own limit (DATA_UPLOAD_MAX_MEMORY_SIZE) applies after the handler has written the whole body to a
    temporary file, however large it is.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _declared_length(scope) > self._limit:
            if not any(name == b"expect" for name, _ in scope["headers"]):  # else the body would be asked for
                await _discard(receive)
            raise request_too_large(self._limit)
        await self._app(scope, _limited(receive, self._limit), send)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            # Python refuses to convert more than 4,300 digits; 20 are enough for any limit.
            return int(value[:20])
    return 0


def _limited(receive: Receive, limit: int) -> Receive:
    """Returns a `receive` that counts: a declared length may be missing, or wrong."""
    total, has_more = 0, True
    deadline = asyncio.get_running_loop().time() + GRACE_S

    async def limited() -> Message:
        nonlocal total, has_more
        if not has_more:  # all that is left to come is the disconnect
            return await receive()
        try:
            async with asyncio.timeout_at(deadline + total / LEAST_RATE):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout from None
        has_more = message.get("more_body", False)
        total += len(message.get("body", b""))
        if total > limit:
            if has_more:
                await _discard(receive)
            raise request_too_large(limit)
        return message

    return limited


async def _discard(receive: Receive) -> None:
    """Reads on for a while: a connection that is closed amid a body is reset, and the answer gets lost."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while (await receive()).get("more_body"):
                pass
