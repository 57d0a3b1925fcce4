"""The ASGI application: which handler answers a path, and what lives as long as a web process.

Endpoints (the OpenAI API, MCP, the tools of assistants, the probes, what open pages ask) pass no middleware
but CORS and hold no database connection; everything else is Django as usual; static files are served as they
are.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import cast

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from assistants import lifespans
from assistants.agent.llm import embeddings
from assistants.mcp_endpoint import app as mcp_endpoint
from assistants.mcp_endpoint.addresses import METADATA, ROOT
from assistants.openai_api import addresses, detached
from config import boundary, warm_up
from config.asgi_handler import AsyncASGIHandler, OneThreadHandler
from config.body_limit import BodyLimit
from config.own_writes import OwnWrites
from config.request_ids import RequestIds
from config.request_metrics import RequestMetrics
from config.request_traces import RequestTraces

PROBES = ("/health", "/ready", "/metrics")
TOOLS = tuple(f"/api/v1/assistants/{{slug}}/{path}" for path in ("openapi.json", "tools/{name}"))
SERVER_CHANGES = "/admin/servers/changes"
MANAGEMENT = "/api/v1/"
OPENAI_API = ("/v1", *(f"/api/v1/{name}" for name in ("chat", "models", "embeddings", "responses")))


def create_application() -> ASGIApp:
    """Starlette's Router, not its application class: that would answer unknown paths before Django does."""
    endpoints = _limited(AsyncASGIHandler(), settings.CHAT_BODY_LIMIT)
    console = _limited(ASGIHandler(), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    management = OwnWrites(_limited(OneThreadHandler(), settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
    below = (f"{path}/{{rest:path}}" for path in OPENAI_API)
    # In the order of how often they are asked for: each is compared in turn.
    paths = (*below, *OPENAI_API, *PROBES, SERVER_CHANGES, *TOOLS)
    return Router(
        [*(Route(path, endpoints) for path in paths), *_mcp(), _static_files()],
        default=_by_kind(endpoints, _abandonable(management), _abandonable(console)),
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=list(_middleware()),
    )


def _middleware() -> Iterator[Middleware]:
    if settings.METRICS:
        yield Middleware(RequestMetrics)
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        yield Middleware(RequestTraces)
    yield Middleware(RequestIds)
    yield Middleware(boundary.ErrorBoundary)


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[None]:
    """Until this is entered no request is answered. If it raises, uvicorn logs why and ends."""
    async with (
        lifespans.entered(),
        embeddings.lifespan(),
        mcp_endpoint.lifespan(),
        detached.lifespan(),
        boundary.lifespan(),
        warm_up.lifespan(),
    ):
        yield


def _mcp() -> list[Route]:
    endpoint = BodyLimit(_shared_with_pages(mcp_endpoint.application), limit=settings.MCP_BODY_LIMIT)
    metadata = _shared_with_pages(mcp_endpoint.metadata)
    return [
        Route(path, answer)
        for root, answer in ((ROOT, endpoint), (METADATA, metadata))
        for path in (root, f"{root}/{{rest:path}}")
    ]


def _shared_with_pages(app: ASGIApp) -> ASGIApp:
    """CORS for an application that is not Django's."""
    return CORSMiddleware(
        app,
        allow_origins=settings.CORS_ALLOWED_ORIGINS,
        allow_credentials=True,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["mcp-session-id", "mcp-protocol-version", *settings.CORS_EXPOSE_HEADERS],
    )


def _static_files() -> Mount:
    files = StaticFiles(directory=settings.STATIC_ROOT, check_dir=False)
    files.config_checked = True  # else it answers 500 until `collectstatic` has made the folder
    # StaticFiles raises 404 as an exception, for this middleware to answer.
    return Mount(settings.STATIC_URL.rstrip("/"), files, middleware=[Middleware(ExceptionMiddleware)])


def _limited(handler: ASGIHandler, limit: int) -> ASGIApp:
    return BodyLimit(cast(ASGIApp, handler), limit=limit)


def _abandonable(app: ASGIApp) -> ASGIApp:
    """Does not wait for requests that the server cancels: Django would, until the view's thread has ended."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        answering = asyncio.ensure_future(app(scope, receive, send))
        try:
            await asyncio.wait({answering})
        except asyncio.CancelledError:
            answering.cancel()
            answering.add_done_callback(lambda task: task.cancelled() or task.exception())
            raise
        answering.result()

    return answer


def _by_kind(endpoints: ASGIApp, management: ASGIApp, console: ASGIApp) -> ASGIApp:
    """Gives the endpoints what OpenAI's clients send to wrong addresses: they answer whatever Host says."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if addresses.is_openai(path):
            app = endpoints
        elif path.startswith(MANAGEMENT):
            app = management
        else:
            app = console
        await app(scope, receive, send)

    return answer
