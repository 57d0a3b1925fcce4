"""Django's request handler for endpoints: fully async, with CORS as its only middleware."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponseBase
from django.urls import ResolverMatch, get_resolver, set_script_prefix

from assistants.agent import cancellation
from config.cors import CorsMiddleware
from core.errors import ServerStopping

_ENDING_S = 2.0
_MOST_PATHS, _LONGEST_PATH = 1_024, 128

# As Django has them: its messages are read-only, Starlette's are not.
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class AsyncASGIHandler(ASGIHandler):
    """Serves a request without any thread, and cancels the view when the caller leaves, streaming or not.

    Django's own handler costs 0.85 CPU-ms more for each request (measured): it sends `request_started` and
    `request_finished` through a thread, whose receivers look after database connections that these views do
    not hold, and it runs the middleware of the console.

    Replaced here, of what Django 5.2 documents nowhere: `load_middleware` (with `_view_middleware`,
    `_template_response_middleware`, `_exception_middleware` and `_middleware_chain`, which it has to set),
    `__call__`, `read_body` and `resolve_request`. Called: `_get_response_async`, `create_request`,
    `send_response`. pyproject.toml therefore allows no other minor version of Django.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[object] = []
        self._template_response_middleware: list[object] = []
        self._exception_middleware: list[object] = []
        view = convert_exception_to_response(self._get_response_async)  # type: ignore[attr-defined]
        self._middleware_chain = CorsMiddleware(cast(Any, view))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        if prefix := get_script_prefix(scope):
            set_script_prefix(prefix)
        request, refusal = self.create_request(scope, body)
        if request is None:
            await self.send_response(cast(HttpResponseBase, refusal), send)
            return
        try:
            await self._answer_until_disconnect(request, receive, send)
        finally:
            body.close()

    async def read_body(self, receive: Receive) -> BytesIO:
        """Raises RequestAborted. In memory, as FILE_UPLOAD_MAX_MEMORY_SIZE would have it, too."""
        body = BytesIO()
        has_more = True
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestAborted
            body.write(message.get("body", b""))
            has_more = message.get("more_body", False)
        body.seek(0)
        return body

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        path = request.path_info
        resolve = _resolved if len(path) <= _LONGEST_PATH else get_resolver().resolve
        match: ResolverMatch = resolve(path)
        request.resolver_match = match
        return match

    async def _answer_until_disconnect(self, request: ASGIRequest, receive: Receive, send: Send) -> None:
        answer = asyncio.ensure_future(self._answer(request, send))
        disconnect = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({answer, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The server ends, and WEB_DRAIN_S are over: the run ends, and its answer says why.
            cancellation.cancel_all(ServerStopping())
            await asyncio.wait({answer}, timeout=_ENDING_S)
            if not answer.done():
                raise
        finally:
            answer.cancel()
            disconnect.cancel()
            await asyncio.wait({answer, disconnect})
        if not answer.cancelled():
            answer.result()

    async def _answer(self, request: ASGIRequest, send: Send) -> None:
        response = await cast(Any, self._middleware_chain)(request)
        await self.send_response(response, send)


class OneThreadHandler(ASGIHandler):
    """Runs all middleware and the view of a request in one go, in its thread: for views that are not async.

    Django's own handler enters the thread anew for each `process_request` and `process_response`: 14 times.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        chain = cast(Callable[[HttpRequest], HttpResponseBase], self._middleware_chain)
        self._middleware_chain: Any = sync_to_async(chain, thread_sensitive=True)


@lru_cache(_MOST_PATHS)
def _resolved(path: str) -> ResolverMatch:
    """Raises Resolver404. Django compares a path with each pattern before its own, each time."""
    return get_resolver().resolve(path)
