"""A floor: a project of Django with one asynchronous view, no middleware and no database, that passes on.

`floor_django.py PORT LLM MCP`, served by uvicorn.
"""

import secrets
import sys
from collections.abc import AsyncIterator

import django
import uvicorn
from aiohttp import ClientResponse, ClientSession, TCPConnector
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, re_path

PASSED = ("content-type", "mcp-session-id")
_sessions: list[ClientSession] = []


async def forward(request: HttpRequest, path: str) -> StreamingHttpResponse:
    if not _sessions:
        _sessions.append(ClientSession(connector=TCPConnector(limit=0)))
    url = (sys.argv[3] if path.startswith("mcp") else sys.argv[2]) + "/" + path
    headers = {name: request.headers[name] for name in PASSED if name in request.headers}
    answer = await _sessions[0].post(url, data=request.body, headers=headers)
    passed = {name: answer.headers[name] for name in PASSED if name in answer.headers}
    return StreamingHttpResponse(_parts(answer), status=answer.status, headers=passed)


async def _parts(answer: ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for part in answer.content.iter_any():
            yield part


urlpatterns: list[URLPattern] = [re_path("^(?P<path>.*)$", forward)]


if __name__ == "__main__":
    settings.configure(
        ROOT_URLCONF="__main__",
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[],
        DATA_UPLOAD_MAX_MEMORY_SIZE=None,
        SECRET_KEY=secrets.token_urlsafe(),
    )
    django.setup()
    uvicorn.run(get_asgi_application(), port=int(sys.argv[1]), log_level="warning", access_log=False)
