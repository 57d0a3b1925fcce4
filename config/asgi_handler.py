"""Django for callers' requests, without what only the console needs."""

import asyncio
from typing import Any, cast

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpResponseBase
from django.urls import set_script_prefix, set_urlconf

from config.body_limit import Receive, Scope, Send


class DoorHandler(ASGIHandler):
    """CORS is the only middleware, and no thread serves a request.

    Django's own handler hops to a thread when a request starts and ends, to look after its database
    connections: views behind a door have none. A caller who leaves cancels the view, streaming or not.
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
        set_script_prefix(get_script_prefix(scope))
        request, refusal = self.create_request(scope, body)
        if request is None:
            await self.send_response(cast(HttpResponseBase, refusal), send)
            return
        try:
            await self._answer_unless_left(request, receive, send)
        finally:
            body.close()

    async def _answer_unless_left(self, request: ASGIRequest, receive: Receive, send: Send) -> None:
        answering = asyncio.ensure_future(self._answer(request, send))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.wait({answering, leaving})
        if not answering.cancelled():
            answering.result()

    async def _answer(self, request: ASGIRequest, send: Send) -> None:
        set_urlconf(settings.ROOT_URLCONF)
        response = await cast(Any, self._middleware_chain)(request)
        await self.send_response(response, send)
