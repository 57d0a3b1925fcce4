"""Logins to `tests/servers/oauth.py`, and the requests that it has received."""

from typing import Any

import aiohttp

from connector import grants
from connector.client import logins
from connector.models import Instance
from connector.states import Phase
from tests.connector.conftest import BY, orm, wait_for
from tests.connector.remote import RemoteServer
from tools import actions
from tools.models import MCPTool, Status

CLIENT, SECRET = "the-client", "the-secret:/?"  # of tests/servers/oauth.py
REDIRECT_URI = "https://console.example.org/admin/callback"


async def register(servers: Any, remote: RemoteServer) -> MCPTool:
    row: MCPTool = await servers.register(connection_type="streamable_http", url=remote.url)
    return row


async def grant(server: MCPTool, **fields: Any) -> None:
    def save() -> None:
        grants.connect(server=MCPTool.objects.get(pk=server.pk), by=BY, **fields)

    await orm(save)()


async def by_credentials(server: MCPTool, remote: RemoteServer, secret: str = SECRET) -> None:
    issuer = remote.url.replace("/mcp", "/as")
    await grant(server, flow="client_credentials", client_id=CLIENT, client_secret=secret, issuer=issuer)


async def consent(url: str) -> dict[str, str]:
    """Returns the parameters that a browser brings back."""
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        back = response.headers["location"]
    assert back.startswith(REDIRECT_URI)
    return dict(aiohttp.client.URL(back).query)


async def log_in(server: MCPTool) -> None:
    begun = await logins.begin(server.pk, REDIRECT_URI)
    await logins.finish(begun.worker, await consent(begun.url))
    await orm(lambda: actions.restart(MCPTool.objects.get(pk=server.pk), by=BY))()


async def running_anew(servers: Any, server: MCPTool) -> None:
    """Waits until all copies run with the last change, which may have been a restart after a login."""

    async def settled() -> bool:
        row = await servers.row(server)
        behind = Instance.objects.filter(server=server).exclude(
            observed_generation=row.generation, phase=Phase.READY
        )
        return row.status == Status.RUNNING and not await behind.aexists()

    await wait_for(settled)


async def received(remote: RemoteServer, kind: str) -> list[dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(remote.url.replace("/mcp", "/log")) as log,
    ):
        return [each for each in await log.json() if each["what"] == kind]


async def post(remote: RemoteServer, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(remote.url.replace("/mcp", path)):
        pass


async def whoami(caller: Any, server: MCPTool) -> str:
    return str((await caller(server, "whoami")).content[0]["text"])
