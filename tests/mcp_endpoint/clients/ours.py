"""The product's own sessions, with its stored grants. Staff log in whenever a session asks for it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from connector import grants
from connector.client.round_trips import InputRequired, continued, opened, outcome, require_askable
from connector.errors import LoginRequired
from connector.models import OAuthGrant
from connector.session import Authorization, Session, http_streams, log_in
from connector.wire.asking import Client
from tests.connector.conftest import BY, orm
from tests.mcp_endpoint.clients.browser import REDIRECT_URI, consent
from tests.mcp_endpoint.clients.scenarios import Task, accepted, play
from tools import actions

LIMIT = 2**20
CAPABILITIES: dict[str, Any] = {"elicitation": {}}
NOBODYS = 0, 0
"""The server and the key that a state between two rounds is sealed for."""
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
        Session.open(streams, asked=_Person()) as session,
    ):
        await play(task, _Connection(session))


class _Person:
    """Who is asked during a session of the older era, and fills forms in."""

    capabilities: Mapping[str, Any] = CAPABILITIES

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        assert method == "elicitation/create"
        return accepted(params)


class _Connection:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list_tools(self) -> list[dict[str, Any]]:
        return (await self._session.list_tools()).tools

    async def call(self, name: str, arguments: dict[str, Any]) -> None:
        await self._request("tools/call", {"name": name, "arguments": arguments})

    async def read_all(self) -> None:
        offered = await self._session.list_capabilities()
        await self._request("resources/read", {"uri": offered.resources[0]["uri"]})
        await self._request("prompts/get", {"name": offered.prompts[0]["name"], "arguments": {}})

    async def _request(self, method: str, params: dict[str, Any]) -> None:
        """Sends a request again, with answers, for as long as a server of the stateless era asks."""
        sent: Mapping[str, Any] = params
        while isinstance(answer := await self._round(method, sent), InputRequired):
            require_askable(answer.requests, CAPABILITIES)
            responses = {name: accepted(each["params"]) for name, each in answer.requests.items()}
            sent = continued(params, opened(answer.state, *NOBODYS), responses)

    async def _round(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | InputRequired:
        client = Client(CAPABILITIES)
        result = await self._session.request(method, dict(params), lambda _: None, client)
        return outcome(result, *NOBODYS)


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
