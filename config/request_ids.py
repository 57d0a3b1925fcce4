"""One id for each request: in the response, in every log line, in every error that is reported."""

import logging
import re
import uuid
from contextvars import ContextVar

from config.body_limit import ASGIApp, Message, Receive, Scope, Send

HEADER = b"x-request-id"
_GIVEN = re.compile(rb"[A-Za-z0-9_.:-]{1,128}")

request_id: ContextVar[str] = ContextVar("request_id", default="-")


def with_request_id(app: ASGIApp) -> ASGIApp:
    """`app`, seeing and answering an `x-request-id`: the caller's where it is harmless, else a new one."""

    async def identified(scope: Scope, receive: Receive, send: Send) -> None:
        identity = _given(scope) or f"req_{uuid.uuid4().hex}".encode()
        header = (HEADER, identity)
        request_id.set(identity.decode())
        others = [pair for pair in scope["headers"] if pair[0] != HEADER]

        async def send_identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        await app({**scope, "headers": [*others, header]}, receive, send_identified)

    return identified


def _given(scope: Scope) -> bytes | None:
    """None, too, when there are several."""
    given = [value for name, value in scope["headers"] if name == HEADER]
    return given[0] if len(given) == 1 and _GIVEN.fullmatch(given[0]) else None


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the request that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True
