"""The stand-in's ASGI application, which needs no Django: `uvicorn config.standin.app:app` serves /v1."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from config.standin import answers, serialization

logger = logging.getLogger("uvicorn.error")

MODEL = "stand-in"
Endpoint = Callable[[Request], Awaitable[Response]]


async def chat(request: Request) -> Response:
    body = await read(request)
    answer = answers.answer(body)
    if not body.get("stream"):
        return JSONResponse(serialization.completion(body, answer))
    return StreamingResponse(_events(body, answer), media_type="text/event-stream")


def create_app(*, chat: Endpoint = chat, more_routes: Sequence[Route] = ()) -> Starlette:
    """Returns the application. `chat` and `more_routes` let tests answer in its place."""
    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)]
    handlers: dict[Any, Any] = {HTTPException: _http_error, ValueError: _bad_request}
    return Starlette(routes=[*routes, *more_routes], lifespan=_lifespan, exception_handlers=handlers)


async def read(request: Request) -> dict[str, Any]:
    """Returns the request's body. Raises ValueError where it is no chat completion request."""
    body = await request.json()
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise ValueError("The body needs 'model' and a list of 'messages'.")
    return body


async def models(_: Request) -> Response:
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "mcp-connector"}
    return JSONResponse({"object": "list", "data": [model]})


async def _events(body: dict[str, Any], answer: serialization.Answer) -> AsyncIterator[bytes]:
    for event in serialization.events(body, answer):
        yield event


async def _http_error(_: Request, error: HTTPException) -> Response:
    return JSONResponse(serialization.error(error.detail), status_code=error.status_code)


async def _bad_request(_: Request, error: ValueError) -> Response:
    return JSONResponse(serialization.error(str(error)), status_code=400)


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    logger.warning(answers.NOTICE)
    yield


app = create_app()
