"""The HTTP server of a worker's sessions: on a unix socket, and on TCP where other machines call.

`POST /request` sends a request of MCP to a server. Its body is `{server_id, slot, fence, timeout_s, left_s,
method, params}`: `timeout_s` from the request or its last progress to the answer, of which `left_s` are
left now. `client` (see `wire.asking.Client`) and `asks_back` may say who can be asked. The answer is lines
of JSON: any number of `{"progress": ..}`, `{"log": ..}` and `{"elicited": ..}`, then one `{"result": ..}`,
`{"error": {"code", ..}}` for a CallFailed, with its message as `core.message` stores it, `{"server_error":
{"code", "message", "data"}}` for a ServerError, or `{"asked": {"requests", "slot", "fence", "call"}}` for
AskedBack. After that, the same request with `{"parked": call, "responses"}` goes on, and with `is_given_up`
ends the call. A caller that closes the connection cancels the request.

`POST /subscription`, with `{server_id, slot, fence, uri}`, is answered by `{"subscribed": true}`, then by
`{"updated": true}` for each update of the resource; false says that the subscription lives. It ends when
the caller closes the connection, and with an error as above.

`POST /connection-test` is in `data_plane.connection_tests`, `/login` in `data_plane.logins`.
"""

import hmac
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from django.conf import settings

from connector.data_plane.connection_tests import ConnectionTests
from connector.data_plane.logins import OAuthLogins
from connector.data_plane.requests import Dedicated, Find, Requests
from connector.data_plane.subscriptions import Subscriptions
from connector.process.orphans import owner_is_alive
from connector.process.resource_monitor import ResourceMonitor
from connector.wire.token import TOKEN_HEADER, data_plane_token

SOCKET_PATH_LIMIT = 107  # bytes of sun_path without its NUL
SHUTDOWN_TIMEOUT_S = 0.5


@asynccontextmanager
async def serving(
    find: Find, dedicated: Dedicated, monitor: ResourceMonitor, *, name: str, bind: str
) -> AsyncIterator[tuple[str, str]]:
    """Serves the sessions inside the block; yields the socket's path and `host:port`.

    An empty `bind` serves this host only, and yields no `host:port`.
    """
    # handler_cancellation: aiohttp cancels a handler whose client has gone only if asked to.
    options: Any = {"handler_cancellation": True, "access_log": None, "shutdown_timeout": SHUTDOWN_TIMEOUT_S}
    runner = web.AppRunner(_application(find, dedicated, monitor, name), **options)
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


def _application(find: Find, dedicated: Dedicated, monitor: ResourceMonitor, name: str) -> web.Application:
    application = web.Application(client_max_size=settings.MCP_RESULT_LIMIT, middlewares=[_authenticated])
    requests = Requests(find, dedicated)
    application.router.add_post("/request", requests.handle)
    application.router.add_post("/session/end", requests.end_client)
    application.router.add_post("/session/roots-changed", requests.roots_changed)
    application.router.add_post("/subscription", Subscriptions(find).handle)
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
