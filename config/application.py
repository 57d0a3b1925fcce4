"""Which handler answers a path, and what lives as long as a web process.

Doors (the OpenAI API, the probes) pass no middleware but CORS and hold no database connection; everything
else is Django as usual; static files are served as they are.
"""

import re
from contextlib import AsyncExitStack
from typing import cast

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from assistants import lifespans
from assistants.agent.llm import embeddings
from assistants.openai_api import detached
from assistants.openai_api import errors as openai_errors
from config import errors
from config.asgi_handler import DoorHandler
from config.body_limit import ASGIApp, Receive, Scope, Send, body_limit
from config.requests import with_request_id

DOORS = re.compile(r"/(health|ready|v1(/.*)?|api/v1/(chat|models|embeddings|responses)(/.*)?)")


class Application:
    def __init__(self) -> None:
        self._door = body_limit(
            DoorHandler(), limit=settings.CHAT_BODY_LIMIT, refusal=openai_errors.body_too_large
        )
        self._console = body_limit(
            ASGIHandler(), limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, refusal=errors.body_too_large
        )
        self._http = with_request_id(self._dispatch)
        files = StaticFiles(directory=settings.STATIC_ROOT, check_dir=False)
        self._static = Mount(settings.STATIC_URL.rstrip("/"), files)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._handler(scope["path"])(scope, receive, send)

    def _handler(self, path: str) -> ASGIApp:
        if path.startswith(settings.STATIC_URL):
            return cast(ASGIApp, self._static)
        return self._door if DOORS.fullmatch(path) else self._console

    async def _live(self, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            await receive()
            await stack.enter_async_context(lifespans.entered())
            await stack.enter_async_context(embeddings.lifespan())
            await stack.enter_async_context(detached.lifespan())
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
