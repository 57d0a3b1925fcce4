"""The product's own sessions, with its stored grants. Staff log in whenever a session asks for it."""

from typing import Any
from uuid import uuid4

from connector import grants
from connector.errors import LoginRequired
from connector.models import OAuthGrant
from connector.session import Authorization, Session, http_streams, log_in
from tests.connector.conftest import BY, orm
from tests.mcp_endpoint.clients.browser import REDIRECT_URI, consent
from tests.mcp_endpoint.clients.scenarios import Task, play
from tools import actions

LIMIT = 2**20
LOGINS = 3
"""As often a person would log in to one server before giving up."""


async def ours(task: Task) -> None:
    server = await _registered(task) if task.scenario.startswith("auth/") else 0
    for _ in range(LOGINS):
        authorization = Authorization(server)
        try:
            await _play(task, authorization)
        except Exception as error:
            # As the product's connection does: the SDK's task groups may have wrapped the reason.
            if not isinstance(authorization.failure or error, LoginRequired):
                raise
            await _log_in(server)
        else:
            return
    raise LoginRequired("Logging in has not helped.")


async def _play(task: Task, authorization: Authorization) -> None:
    await authorization.prepare(task.url)
    async with (
        http_streams(task.url, {}, limit=LIMIT, auth=authorization) as streams,
        Session.open(streams) as session,
    ):
        await play(task, _Connection(session))


class _Connection:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list_tools(self) -> list[dict[str, Any]]:
        return (await self._session.list_tools()).tools

    async def call(self, name: str, arguments: dict[str, Any]) -> None:
        await self._session.call(name, arguments, None)

    async def read_all(self) -> None:
        offered = await self._session.list_capabilities()
        await self._session.read_resource(offered.resources[0]["uri"])
        await self._session.get_prompt(offered.prompts[0]["name"], {})


async def _registered(task: Task) -> int:
    """Registers the server with what staff know about its client, and returns its id."""

    def save() -> int:
        name = f"conformance-{uuid4().hex[:8]}"
        server = actions.register(name=name, by=BY, connection_type="streamable_http", url=task.url)
        given = {name: task.context.get(name, "") for name in ("client_id", "client_secret")}
        grants.connect(server=server, by=BY, flow=OAuthGrant.Flow.LOGIN, **given)
        return int(server.pk)

    return int(await orm(save)())


async def _log_in(server: int) -> None:
    answers: list[dict[str, str]] = []

    async def show(url: str) -> None:
        answers.append(await consent(url))

    async def answer() -> dict[str, str]:
        return answers.pop()

    grant = await grants.find(server)
    assert grant is not None
    await log_in(grant, REDIRECT_URI, show=show, answer=answer)
