"""The server of a worker's sessions: on a unix socket, and on TCP where other machines call.

What it is asked, by names, over the frames of `wire.frames`:

`request` sends a request of MCP to a server. Its body is `{server_id, slot, fence, timeout_s, left_s, method,
params}`: `timeout_s` from the request or its last progress to the answer, of which `left_s` are left now.
`about` is what lines of the log say (`core.log_context`), `trace` the headers of W3C Trace Context.
`client` (see `wire.asking.Client`) and `asks_back` may say who can be asked. The answer is any number of
`{"progress": ..}`, `{"log": ..}` and `{"elicited": ..}`, then one `{"result": ..}`, `{"error": {"code", ..}}`
for a CallFailed, with its message as `core.message` stores it, `{"server_error": {"code", "message",
"data"}}` for a ServerError, or `{"asked": {"requests", "slot", "fence", "call"}}` for AskedBack. After that,
the same request with `{"parked": call, "responses"}` goes on, and with `is_given_up` ends the call.

`subscription`, with `{server_id, slot, fence, uri}`, is answered by `{"subscribed": true}`, then by
`{"updated": true}` for each update of the resource; false says that the subscription lives. It ends when the
caller cancels it, and with an error as above.

`session/end` and `session/roots-changed` are in `data_plane.requests`, `connection-test` in
`data_plane.connection_tests`, `login` and `login/answer` in `data_plane.logins`.
"""

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from connector.data_plane.connection import Connection, Handler
from connector.data_plane.connection_tests import ConnectionTests
from connector.data_plane.logins import OAuthLogins
from connector.data_plane.requests import Dedicated, Find, Requests
from connector.data_plane.subscriptions import Subscriptions
from connector.process.orphans import owner_is_alive
from connector.process.resource_monitor import ResourceMonitor

SOCKET_PATH_LIMIT = 107  # bytes of sun_path without its NUL
SHUTDOWN_TIMEOUT_S = 0.5


@asynccontextmanager
async def serving(
    find: Find, dedicated: Dedicated, monitor: ResourceMonitor, *, name: str, bind: str
) -> AsyncIterator[tuple[str, str]]:
    """Serves the sessions inside the block; yields the socket's path and `host:port`.

    An empty `bind` serves this host only, and yields no `host:port`.
    """
    loop, connections = asyncio.get_running_loop(), set[Connection]()
    handlers = _handlers(find, dedicated, monitor, name)

    def connected() -> Connection:
        return Connection(handlers, connections)

    folder = socket_folder()
    _remove_stale_sockets(folder)
    path = folder / f"{name}.sock"
    servers = []
    try:
        servers.append(await loop.create_unix_server(connected, path))
        address = ""
        if bind:
            host, _, port = bind.rpartition(":")
            servers.append(await loop.create_server(connected, host.strip("[]"), int(port)))
            address = f"{host}:{servers[-1].sockets[0].getsockname()[1]}"
        yield str(path), address
    finally:
        for server in servers:
            server.close()
        path.unlink(missing_ok=True)
        await _end(connections)


async def _end(connections: set[Connection]) -> None:
    """Lets what is under way end within SHUTDOWN_TIMEOUT_S, and cancels the rest."""
    tasks = [task for each in connections for task in each.tasks.values()]
    if tasks:
        await asyncio.wait(tasks, timeout=SHUTDOWN_TIMEOUT_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for each in list(connections):
        each.close()
    # The event loop closes sockets in its next round.
    await asyncio.sleep(0)


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


def _handlers(find: Find, dedicated: Dedicated, monitor: ResourceMonitor, name: str) -> Mapping[str, Handler]:
    requests, logins = Requests(find, dedicated), OAuthLogins()
    return {
        "request": requests.send,
        "session/end": requests.end_client,
        "session/roots-changed": requests.roots_changed,
        "subscription": Subscriptions(find).follow,
        "connection-test": ConnectionTests(name, monitor).run,
        "login": logins.begin,
        "login/answer": logins.answer,
    }
