"""The HTTP server of a worker's sessions: on a unix socket, and on TCP where other machines call.

A body has `{server_id, slot, fence, timeout_s}` and, for `POST /call`, `{function, arguments, progress}`, for
`/resource` `{uri}`, for `/prompt` `{name, arguments}`. The answer is lines of JSON: any number of
`{"progress": ..}`, if requested, then one `{"result": ..}` or `{"error": {"code", "message"}}`. A caller that
closes the connection cancels the call. `POST /connection-test` is in `data_plane.connection_tests`, `/login`
in `data_plane.logins`.
"""

import asyncio
import hmac
import os
import stat
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from django.conf import settings

from connector.data_plane.connection_tests import ConnectionTests
from connector.data_plane.logins import OAuthLogins
from connector.errors import CallFailed
from connector.host import clock
from connector.leases.observation import Slot
from connector.lifecycle.server_task import ServerTask
from connector.process.orphans import owner_is_alive
from connector.process.resource_monitor import ResourceMonitor
from connector.wire.results import Progress
from connector.wire.token import TOKEN_HEADER, data_plane_token

SOCKET_PATH_LIMIT = 107  # bytes of sun_path without its NUL
CALL_LIMIT_S = 600.0
SHUTDOWN_TIMEOUT_S = 0.5
PROGRESS_A_SECOND = 10
"""Progress that is passed on to the caller; what a server reports beyond it is dropped."""

Find = Callable[[Slot, int], ServerTask]
"""Returns the task that holds a slot under a fence. Raises CallFailed."""


@asynccontextmanager
async def serving(
    find: Find, monitor: ResourceMonitor, *, name: str, bind: str
) -> AsyncIterator[tuple[str, str]]:
    """Serves the sessions inside the block; yields the socket's path and `host:port`.

    An empty `bind` serves this host only, and yields no `host:port`.
    """
    # handler_cancellation: aiohttp cancels a handler whose client has gone only if asked to.
    options: Any = {"handler_cancellation": True, "access_log": None, "shutdown_timeout": SHUTDOWN_TIMEOUT_S}
    runner = web.AppRunner(_application(find, monitor, name), **options)
    await runner.setup()
    folder = socket_folder()
    _remove_stale_sockets(folder)
    path = folder / f"{name}.sock"
    try:
        await web.UnixSite(runner, str(path)).start()
        yield str(path), await _serve_other_hosts(runner, bind) if bind else ""
    finally:
        await runner.cleanup()
        path.unlink(missing_ok=True)


async def _serve_other_hosts(runner: web.AppRunner, bind: str) -> str:
    host, _, port = bind.rpartition(":")
    site = web.TCPSite(runner, host, int(port))
    await site.start()
    return f"{host}:{runner.addresses[-1][1]}"


def socket_folder() -> Path:
    """Returns a folder that only this user can enter, with a path short enough for a socket.

    Raises OSError if somebody else owns the name.
    """
    # TMPDIR may be long, as on macOS: then /tmp.
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder itself is private
        folder = Path(parent) / f"mcp-connector-{os.getuid()}"
        if len(os.fsencode(folder)) + 48 <= SOCKET_PATH_LIMIT:
            break
    folder.mkdir(mode=0o700, exist_ok=True)
    # Anybody can make a folder of this name in /tmp first, and would then own our sockets. lstat, because it
    # may be a link as well.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OSError(f"{folder} must be a folder that only this user can enter.")
    return folder


def _remove_stale_sockets(folder: Path) -> None:
    """Removes the sockets of owners that were killed."""
    for path in folder.glob("*.sock"):
        if not owner_is_alive(path.stem):
            path.unlink(missing_ok=True)


def _application(find: Find, monitor: ResourceMonitor, name: str) -> web.Application:
    application = web.Application(client_max_size=settings.MCP_RESULT_LIMIT, middlewares=[_authenticated])
    calls = _Calls(find)
    application.router.add_post("/call", calls.call)
    application.router.add_post("/resource", calls.read_resource)
    application.router.add_post("/prompt", calls.get_prompt)
    application.router.add_post("/connection-test", ConnectionTests(name, monitor).handle)
    logins = OAuthLogins()
    application.router.add_post("/login", logins.begin)
    application.router.add_post("/login/answer", logins.answer)
    return application


@web.middleware
async def _authenticated(request: web.Request, handler: Handler) -> web.StreamResponse:
    token = request.headers.get(TOKEN_HEADER, "")
    # As bytes: compare_digest raises TypeError for text that is not ASCII.
    if not hmac.compare_digest(token.encode(), data_plane_token().encode()):
        raise web.HTTPForbidden
    return await handler(request)


class _Calls:
    def __init__(self, find: Find) -> None:
        self._find = find

    async def call(self, request: web.Request) -> web.StreamResponse:
        body, answer = orjson.loads(await request.read()), _Response(request)
        on_progress = answer.progress if body["progress"] else None
        return await answer.send(
            lambda: self._task(body).call(
                body["function"], body["arguments"], timeout_s=_timeout_s(body), on_progress=on_progress
            )
        )

    async def read_resource(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())

        async def read() -> dict[str, Any]:
            return {"contents": await self._task(body).read_resource(body["uri"], timeout_s=_timeout_s(body))}

        return await _Response(request).send(read)

    async def get_prompt(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        return await _Response(request).send(
            lambda: self._task(body).get_prompt(body["name"], body["arguments"], timeout_s=_timeout_s(body))
        )

    def _task(self, body: dict[str, Any]) -> ServerTask:
        return self._find(Slot(body["server_id"], body["slot"]), body["fence"])


def _timeout_s(body: dict[str, Any]) -> float:
    return float(min(body["timeout_s"], CALL_LIMIT_S))


class _Response:
    """One line in a plain response; a stream if progress comes before the result."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._stream: web.StreamResponse | None = None
        self._lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self._progressed: deque[float] = deque(maxlen=PROGRESS_A_SECOND)

    def progress(self, progress: Progress) -> None:
        now = clock()
        if len(self._progressed) == PROGRESS_A_SECOND and now - self._progressed[0] < 1:
            return
        self._progressed.append(now)
        # The SDK calls this and does not wait: a task of our own writes.
        self._lines.put_nowait({"progress": asdict(progress)})
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def send(self, work: Callable[[], Awaitable[Any]]) -> web.StreamResponse:
        """Sends the result of `work`, which orjson can serialize, or the CallFailed that it raises."""
        try:
            return await self._finish({"result": await work()})
        except CallFailed as failure:
            return await self._finish({"error": {"code": failure.code, "message": failure.message}})
        finally:
            if self._writer is not None:
                self._writer.cancel()

    async def _finish(self, last_line: dict[str, Any]) -> web.StreamResponse:
        if self._writer is None:
            return web.Response(body=orjson.dumps(last_line) + b"\n")
        self._lines.put_nowait(last_line)
        await self._writer
        assert self._stream is not None  # noqa: S101 - the writer has made it
        return self._stream

    async def _write(self) -> None:
        self._stream = web.StreamResponse()
        # A caller that has gone has cancelled the handler, or is about to.
        with suppress(ConnectionResetError):
            await self._stream.prepare(self._request)
            while True:
                line = await self._lines.get()
                await self._stream.write(orjson.dumps(line) + b"\n")
                if "progress" not in line:
                    return
