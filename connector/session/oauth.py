"""Obtaining tokens for a remote MCP server, by the SDK's own OAuth providers, kept in our rows.

The providers discover (RFC 9728, RFC 8414), register (RFC 7591), log in with PKCE and a resource indicator
(RFC 8707), and refresh, whenever a request is sent through them: a probe does.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl

from connector import grants
from connector.errors import LoginRequired
from connector.grants import Grant
from connector.models import OAuthGrant
from connector.session.guarded import GuardedTransport
from connector.session.limits import CappedTransport

DEADLINE_S = 15.0
ANSWER_LIMIT = 1024 * 1024
EXPIRED = 1.0  # in 1970
_PROBE = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
_HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


async def obtain(grant: Grant) -> None:
    """Refresh the kept tokens, or get new ones by client credentials; they are kept then.

    Raises LoginRequired where only a person can help, AddressRefused, or what HTTP raises.
    """
    by_credentials = grant.flow == OAuthGrant.Flow.CLIENT_CREDENTIALS
    provider = _by_credentials(grant) if by_credentials else _by_login(grant, "", _nobody_there, _no_answer)
    provider.context.token_expiry_time = EXPIRED
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _probe(grant, provider)
    except OAuthFlowError as error:
        if by_credentials:
            raise LoginRequired(f"The authorization server refused: {_told(error, grant)}") from error
        raise LoginRequired("The tokens could not be renewed. Somebody has to log in again.") from error


async def log_in(
    grant: Grant,
    redirect_uri: str,
    *,
    show: Callable[[str], Awaitable[None]],
    answer: Callable[[], Awaitable[Mapping[str, str]]],
) -> None:
    """`show` gets the address to send the person to, `answer` waits for `code`, `state` and perhaps `iss`.

    Raises LoginRequired when it came to nothing, AddressRefused, or what HTTP raises.
    """

    async def result() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(await answer())

    provider = _by_login(grant, redirect_uri, show, result)
    try:
        await _probe(grant, provider)
    except OAuthFlowError as error:
        raise LoginRequired(_told(error, grant)) from error


class _Storage:
    """The SDK's TokenStorage. `anew`: whatever tokens there are. `context` is its provider's."""

    def __init__(self, grant: Grant, *, anew: bool, redirect_uri: str = "") -> None:
        self._grant = grant
        self._kept = dict(grant.kept)
        self._anew = anew
        self._redirect_uri = redirect_uri
        self.context: OAuthContext | None = None

    async def get_tokens(self) -> OAuthToken | None:
        tokens = self._kept.get("tokens")
        return OAuthToken.model_validate(tokens) if tokens and not self._anew else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._kept["tokens"] = _dump(tokens)
        self._kept["expires_at"] = None if tokens.expires_in is None else time.time() + tokens.expires_in
        if self.context is not None:
            self._kept["server"] = _dump(self.context.oauth_metadata)
            self._kept["resource"] = _dump(self.context.protected_resource_metadata)
        await grants.keep(self._grant, self._kept)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        if self._grant.client_id:
            return _given_client(self._grant)
        client = self._kept.get("client")
        if not client or (self._redirect_uri and self._redirect_uri not in client.get("redirect_uris", [])):
            return None
        return OAuthClientInformationFull.model_validate(client)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._kept["client"] = _dump(client_info)
        await grants.keep(self._grant, self._kept)


def _given_client(grant: Grant) -> OAuthClientInformationFull:
    return OAuthClientInformationFull(
        client_id=grant.client_id,
        client_secret=grant.client_secret or None,
        token_endpoint_auth_method="client_secret_basic" if grant.client_secret else "none",
        issuer=grant.issuer or None,
    )


def _by_credentials(grant: Grant) -> OAuthClientProvider:
    storage = _Storage(grant, anew=True)
    provider = ClientCredentialsOAuthProvider(
        server_url=grant.url,
        storage=storage,
        client_id=grant.client_id,
        client_secret=grant.client_secret,
        scope=grant.scope or None,
        issuer=grant.issuer,
    )
    storage.context = provider.context
    return provider


def _by_login(
    grant: Grant,
    redirect_uri: str,
    show: Callable[[str], Awaitable[None]],
    answer: Callable[[], Awaitable[AuthorizationCodeResult]],
) -> OAuthClientProvider:
    """Without `redirect_uri` it refreshes what is kept."""
    storage = _Storage(grant, anew=bool(redirect_uri), redirect_uri=redirect_uri)
    metadata = OAuthClientMetadata(
        redirect_uris=[AnyUrl(redirect_uri)] if redirect_uri else None,
        client_name="MCP Connector",
        scope=grant.scope or None,
        application_type="web",
    )
    provider = OAuthClientProvider(grant.url, metadata, storage, show, answer)
    storage.context = provider.context
    if server := grant.kept.get("server"):  # what the SDK forgets: where to refresh
        provider.context.oauth_metadata = OAuthMetadata.model_validate(server)
    if resource := grant.kept.get("resource"):
        provider.context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(resource)
    return provider


async def _probe(grant: Grant, provider: OAuthClientProvider) -> None:
    transport = CappedTransport(GuardedTransport(httpx2.AsyncHTTPTransport()), ANSWER_LIMIT)
    async with httpx2.AsyncClient(transport=transport, timeout=DEADLINE_S) as client:
        await client.post(grant.url, json=_PROBE, headers=_HEADERS, auth=provider)


async def _nobody_there(_: str) -> None:
    raise LoginRequired("The tokens have expired. Somebody has to log in again.")


async def _no_answer() -> AuthorizationCodeResult:
    raise LoginRequired("Nobody has logged in.")


def _dump(model: Any) -> dict[str, Any] | None:
    return None if model is None else dict(model.model_dump(mode="json", exclude_none=True))


def _told(error: OAuthFlowError, grant: Grant) -> str:
    """For people: what the SDK says may quote the server's answer."""
    text = str(error)
    return (text.replace(grant.client_secret, "********") if grant.client_secret else text)[:300]
