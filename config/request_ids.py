"""One id for each request: in the response, in every log line, in every error that is reported.

It is our own because `asgi-correlation-id` 5.0 differs in two ways: of several `x-request-id` headers it uses
the first and passes all of them on, where we trust none; and it logs a warning for each id that it replaces,
so that anybody could fill the log. What we could delete is hardly longer than its configuration.
"""

import logging
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import ids
from core.log_context import request_id

__all__ = ["HEADER", "RequestIdFilter", "RequestIds", "new_id", "request_id"]

HEADER = b"x-request-id"
_HARMLESS = re.compile(rb"[A-Za-z0-9_.:-]{1,128}")


def new_id() -> str:
    return f"req_{ids.unique()}"


class RequestIds:
    """ASGI middleware. Responses get an `x-request-id`: the caller's if that is harmless, or a new one.

    So do refusals of web sockets, whose messages have the same names behind `websocket.`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        identity = _given(scope) or new_id().encode()
        header = (HEADER, identity)
        request_id.set(identity.decode())
        others = [pair for pair in scope["headers"] if pair[0] != HEADER]

        async def send_identified(message: Message) -> None:
            if message["type"].endswith("http.response.start"):
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        await self._app({**scope, "headers": [*others, header]}, receive, send_identified)


def _given(scope: Scope) -> bytes | None:
    """Returns the caller's id; None if it is missing, not harmless, or not the only one."""
    given = [value for name, value in scope["headers"] if name == HEADER]
    return given[0] if len(given) == 1 and _HARMLESS.fullmatch(given[0]) else None


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the request that it belongs to; "-" outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True
