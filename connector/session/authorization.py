"""Being let in by a remote server, while its session lasts."""

import time
from collections.abc import AsyncGenerator

import httpx2

from connector import grants
from connector.errors import LoginRequired
from connector.grants import Grant
from connector.models import OAuthGrant
from connector.session import oauth

EARLY_S = 30.0
"""Tokens are renewed so long before they expire."""


class Authorization(httpx2.Auth):
    """Of one session. `failure`: why the server does not let us in now, None while it does."""

    def __init__(self, server_id: int) -> None:
        self.failure: BaseException | None = None
        self._server_id = server_id
        self._grant: Grant | None = None

    async def prepare(self, url: str) -> None:
        """Before the first request: what is granted holds for this URL. Raises as `oauth.obtain` does."""
        grant = await grants.find(self._server_id) if self._server_id else None
        if grant is not None and grant.url == url:
            self._grant = grant
            await self._token()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        try:
            token = await self._token()
            response = yield _bearing(request, token)
            if response.status_code == 401 and token:
                response = yield _bearing(request, await self._renewed(token))
        except Exception as error:
            self.failure = error  # the SDK's task groups may wrap it in others
            raise
        if request.method != "DELETE":  # which ends a session, whatever it ended for
            self.failure = _refusal(response)

    async def _token(self) -> str:
        """Empty without a grant: a header that staff have set may do."""
        if self._grant is None:
            return ""
        token = _usable(self._grant)
        return token or await self._renewed("")

    async def _renewed(self, refused: str) -> str:
        """By whoever is first, of all processes."""
        self._require_grant()
        async with grants.renewing(self._server_id):
            token = await self._kept()
            if token in {"", refused}:
                await oauth.obtain(self._require_grant())
                token = await self._kept()
        if token in {"", refused}:
            raise LoginRequired("The server refuses the tokens. Somebody has to log in again.")
        return token

    async def _kept(self) -> str:
        self._grant = await grants.find(self._server_id)
        return _usable(self._require_grant())

    def _require_grant(self) -> Grant:
        if self._grant is None:
            raise LoginRequired("Somebody has disconnected the server.")
        if not self._grant.kept.get("tokens") and self._grant.flow == OAuthGrant.Flow.LOGIN:
            raise LoginRequired("Nobody has logged in to the server yet.")
        return self._grant


def _usable(grant: Grant) -> str:
    expires_at = grant.kept.get("expires_at")
    if expires_at is not None and expires_at - EARLY_S <= time.time():
        return ""
    return str((grant.kept.get("tokens") or {}).get("access_token", ""))


def _bearing(request: httpx2.Request, token: str) -> httpx2.Request:
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
    return request


def _refusal(response: httpx2.Response) -> LoginRequired | None:
    if response.status_code == 401:
        return LoginRequired("The server asks for a login.")
    challenge = response.headers.get("www-authenticate", "")
    if response.status_code == 403 and "insufficient_scope" in challenge:
        return LoginRequired("The server asks for a login with more rights.")
    return None
