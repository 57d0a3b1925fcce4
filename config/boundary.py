"""The boundary of the application: what no view answers is answered here, in the envelope of its API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from django.http import HttpRequest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from config import errors
from config.cors import CorsMiddleware
from core.errors import InvalidRequest, ServerStopping

_ENDING_S = 5.0

_in_flight: set[asyncio.Task[Any] | None] = set()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Ends when no request is in flight, or 5 s later.

    uvicorn cancels the requests that outlive WEB_DRAIN_S, but would end the process before they have
    answered.
    """
    try:
        yield
    finally:
        if tasks := [task for task in _in_flight if task]:
            await asyncio.wait(tasks, timeout=_ENDING_S)


class ErrorBoundary:
    """ASGI middleware. Answers web sockets, requests that Django cannot read, and those whose handler raised.

    uvicorn would answer these with a bare text, without CORS, and log errors without the request's id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http" if scope["query_string"].isascii():
                await self._answer(scope, receive, send)
            case "http":
                message = "The query string must be ASCII: encode other bytes as %XX (RFC 3986, section 2.1)."
                await _refuse(scope, send, InvalidRequest(message, code="malformed_request"))
            case "websocket" if "websocket.http.response" in scope.get("extensions", {}):
                await _refuse(
                    scope, send, InvalidRequest("There are no WebSockets here.", code="no_websockets")
                )
            case "websocket":
                await WebSocketClose()(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        task = asyncio.current_task()
        _in_flight.add(task)
        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if not has_begun:
                await _refuse(scope, send, ServerStopping())
        except Exception as error:  # the outermost boundary: it is rendered, and logged there
            if has_begun:
                raise  # uvicorn logs it, and cuts the connection
            await _refuse(scope, send, error)
        finally:
            _in_flight.discard(task)


async def _refuse(scope: Scope, send: Send, error: Exception) -> None:
    """Answers with `error`, and has the server close the connection, because the body may not be read."""
    response = errors.response(scope["path"], error)
    response.headers["connection"] = "close"
    _cors.add_response_headers(_request(scope), response)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    await send({"type": f"{kind}.start", "status": response.status_code, "headers": headers})
    await send({"type": f"{kind}.body", "body": response.content})


def _request(scope: Scope) -> HttpRequest:
    """Returns what CORS reads. Django's request for ASGI cannot be made of all that is refused here."""
    request = HttpRequest()
    request.path_info, request.method = scope["path"], scope.get("method", "GET")
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    request.META["HTTP_ORIGIN"] = ",".join(origins)
    return request


def _no_view(_: HttpRequest) -> Any:
    raise NotImplementedError


_cors = CorsMiddleware(_no_view)
