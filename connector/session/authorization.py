"""The bearer token of a remote server's session: sent with each request, renewed before it expires."""

import time
from collections.abc import AsyncGenerator

import httpx2

from connector import grants
from connector.errors import LoginRequired, SessionExpired
from connector.grants import Grant
from connector.models import OAuthGrant
from connector.session import oauth
from connector.session.challenges import demand, demanded_scope
from core.message import Message

SESSION_ID = "mcp-session-id"
RENEW_EARLY_S = 30.0
"""Tokens are renewed so long before they expire: a request may be under way for a while."""


class Authorization(httpx2.Auth):
    """Authorizes one session. `failure` is why the server refuses us now; None while it does not.

    `refused_with`: the status and reason of the last answer, such as `503 Service Unavailable`; empty after
    one that was no refusal.
    """

    def __init__(self, server_id: int) -> None:
        self.failure: BaseException | None = None
        self.refused_with = ""
        self._server_id = server_id
        self._grant: Grant | None = None

    async def prepare(self, url: str) -> None:
        """Reads the grant before the first request. Raises what `oauth.obtain` raises."""
        # A server that is only being tried out is not stored, and has the id 0.
        grant = await grants.find(self._server_id) if self._server_id else None
        # Tokens for another URL must not reach this one: staff may have edited the server since.
        if grant is not None and grant.url == url:
            self._grant = grant
            await self._token()

    @property
    def ready_token(self) -> str | None:
        """The token to send; empty without a grant, None where it has to be renewed first."""
        return "" if self._grant is None else _unexpired(self._grant) or None

    def accepted(self) -> None:
        """Notes that the server has answered a request with 200, which this took no part in."""
        self.failure, self.refused_with = None, ""

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        try:
            token = await self._token()
            response = yield _with_bearer(request, token)
            # The server may have revoked it before it expired: one new token is worth one more request.
            if response.status_code == 401 and token:
                response = yield _with_bearer(request, await self._renewed(token))
            _require_session(request, response)
            if scope := demanded_scope(response):
                await grants.demand(self._server_id, scope)
        except Exception as error:
            # Remembered here, because the SDK's task groups may wrap it in other exceptions.
            self.failure = error
            raise
        # A DELETE ends the session: its refusal must not hide the reason that the session ended for.
        if request.method != "DELETE":
            self.failure = _refusal(response)
            # A server without a stream of its own answers 405 to GET (streamable HTTP).
            if not (request.method == "GET" and response.status_code == 405):
                self.refused_with = _status(response)

    async def _token(self) -> str:
        """Returns a token; empty without a grant, where a header that staff have set may be enough."""
        token = self.ready_token
        return await self._renewed("") if token is None else token

    async def _renewed(self, refused: str) -> str:
        """Returns a token other than `refused`. One process renews it, the others wait and read it."""
        self._require_grant()
        async with grants.renewing(self._server_id):
            # Another process may have renewed it while we waited.
            token = await self._stored_token()
            if token in {"", refused}:
                await oauth.obtain(self._require_grant())
                token = await self._stored_token()
        if token in {"", refused}:
            raise LoginRequired(Message("The server refuses the tokens. Somebody has to log in again."))
        return token

    async def _stored_token(self) -> str:
        self._grant = await grants.find(self._server_id)
        return _unexpired(self._require_grant())

    def _require_grant(self) -> Grant:
        """Raises LoginRequired without a grant, or with one that only a person can complete."""
        if self._grant is None:
            raise LoginRequired(Message("Somebody has disconnected the server."))
        if not self._grant.stored.get("tokens") and self._grant.flow == OAuthGrant.Flow.LOGIN:
            raise LoginRequired(Message("Nobody has logged in to the server yet."))
        return self._grant


def _unexpired(grant: Grant) -> str:
    """Returns the access token; empty if there is none, or if it is about to expire."""
    expires_at = grant.stored.get("expires_at")
    if expires_at is not None and expires_at - RENEW_EARLY_S <= time.time():
        return ""
    return str((grant.stored.get("tokens") or {}).get("access_token", ""))


def _with_bearer(request: httpx2.Request, token: str) -> httpx2.Request:
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
    return request


def _refusal(response: httpx2.Response) -> LoginRequired | None:
    """Returns what a response says about our authorization (RFC 6750, section 3.1)."""
    if response.status_code == 401:
        return LoginRequired(Message("The server asks for a login."))
    scope = demanded_scope(response)
    return None if scope is None else LoginRequired(demand(scope))


def _status(response: httpx2.Response) -> str:
    if response.status_code < 300:
        return ""
    return f"{response.status_code} {response.reason_phrase}".strip()


def _require_session(request: httpx2.Request, response: httpx2.Response) -> None:
    """Raises SessionExpired for 404 on a session, whatever the body says.

    Source: MCP 2025-11-25, basic/transports, session management, 3 and 4.
    """
    if response.status_code == 404 and request.method == "POST" and SESSION_ID in request.headers:
        raise SessionExpired(Message("The server has forgotten the session."))
