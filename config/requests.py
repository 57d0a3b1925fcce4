"""One id for each request: in the response, in every log line, in every error that is reported."""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

HEADER = "x-request-id"
_GIVEN = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)

request_id: ContextVar[str] = ContextVar("request_id", default="-")

Handler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class RequestIdMiddleware:
    """Takes the caller's `x-request-id` where it is harmless, else makes one, and answers with it."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        request_id.set(given if _GIVEN.fullmatch(given) else f"req_{uuid.uuid4().hex}")
        response = await self.get_response(request)
        response.headers[HEADER] = request_id.get()
        return response


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the request that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True
