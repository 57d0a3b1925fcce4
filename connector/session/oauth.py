"""Obtains tokens for a remote MCP server with the SDK's OAuth providers, and stores them in our rows.

A provider discovers (RFC 9728, RFC 8414), registers (RFC 7591), logs in with PKCE and a resource indicator
(RFC 8707), and refreshes, whenever a request is sent through it: a probe is such a request.
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
from pydantic import AnyUrl, Field

from connector import grants
from connector.errors import LoginRequired
from connector.grants import Grant
from connector.models import OAuthGrant
from connector.session.egress_transport import EgressFilteredTransport
from connector.session.limits import CappedTransport
from core.message import Message

DEADLINE_S = 15.0
RESPONSE_LIMIT = 1024 * 1024
EXPIRED = 1.0  # Unix time, in 1970
_PROBE = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
_HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


async def obtain(grant: Grant) -> None:
    """Refreshes the stored tokens, or gets new ones by client credentials, and stores them.

    Raises LoginRequired where only a person can help, AddressRefused, or what HTTP raises.
    """
    by_credentials = grant.flow == OAuthGrant.Flow.CLIENT_CREDENTIALS
    provider = (
        _by_credentials(grant) if by_credentials else _by_login(grant, "", _refuse_redirect, _refuse_answer)
    )
    # A token that seems to be valid would be sent again, although the server has just refused it.
    provider.context.token_expiry_time = EXPIRED
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _probe(grant, provider)
    except OAuthFlowError as error:
        if by_credentials:
            refusal = Message("The authorization server refused: %(error)s", error=_redacted(error, grant))
            raise LoginRequired(refusal) from error
        raise LoginRequired(
            Message("The tokens could not be renewed. Somebody has to log in again.")
        ) from error


async def log_in(
    grant: Grant,
    redirect_uri: str,
    *,
    show: Callable[[str], Awaitable[None]],
    answer: Callable[[], Awaitable[Mapping[str, str]]],
) -> None:
    """Logs a person in and stores the tokens.

    `show` is given the URL to send the person to, `answer` returns the parameters of the redirect back
    (`code`, `state`, perhaps `iss`). Raises LoginRequired if the login fails, AddressRefused, or what HTTP
    raises.
    """

    async def result() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(await answer())

    provider = _by_login(grant, redirect_uri, show, result)
    try:
        await _probe(grant, provider)
    except OAuthFlowError as error:
        raise LoginRequired(_redacted(error, grant)) from error


class _Metadata(OAuthClientMetadata):
    """The SDK's description of a client, whose `scope` always holds the `wanted` ones, too.

    The SDK sets the scope to what the server's metadata, or its 401, names: the scopes that staff have set,
    and those that a call was refused for, would never be asked for.
    """

    wanted: str = Field(default="", exclude=True)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, (_united(value or "", self.wanted) or None) if name == "scope" else value)


class _Storage:
    """The SDK's TokenStorage, on a row of ours.

    `ignore_tokens` starts a flow although there are tokens. `context` is that of the provider that uses it.
    """

    def __init__(self, grant: Grant, *, ignore_tokens: bool, redirect_uri: str = "") -> None:
        self._grant = grant
        self._stored = dict(grant.stored)
        self._ignore_tokens = ignore_tokens
        self._redirect_uri = redirect_uri
        self.context: OAuthContext | None = None

    async def get_tokens(self) -> OAuthToken | None:
        tokens = self._stored.get("tokens")
        return OAuthToken.model_validate(tokens) if tokens and not self._ignore_tokens else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._stored["tokens"] = _dump(tokens)
        self._stored["expires_at"] = None if tokens.expires_in is None else time.time() + tokens.expires_in
        # The SDK stores no metadata, and could not refresh after a restart of this process without it.
        if self.context is not None:
            self._stored["server"] = _dump(self.context.oauth_metadata)
            self._stored["resource"] = _dump(self.context.protected_resource_metadata)
        await grants.store(self._grant, self._stored)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        if self._grant.client_id:
            return _given_client(self._grant)
        client = self._stored.get("client")
        # A client that was registered for another redirect URI, or for fewer scopes, would be refused:
        # register a new one.
        if not client or (self._redirect_uri and not self._fits(client)):
            return None
        return OAuthClientInformationFull.model_validate(client)

    def _fits(self, client: Mapping[str, Any]) -> bool:
        is_wide = "scope" not in client or set(_scope(self._grant).split()) <= set(client["scope"].split())
        return self._redirect_uri in client.get("redirect_uris", []) and is_wide

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._stored["client"] = _dump(client_info)
        await grants.store(self._grant, self._stored)


def _given_client(grant: Grant) -> OAuthClientInformationFull:
    return OAuthClientInformationFull(
        client_id=grant.client_id,
        client_secret=grant.client_secret or None,
        token_endpoint_auth_method="client_secret_basic" if grant.client_secret else "none",
        issuer=grant.issuer or None,
    )


def _by_credentials(grant: Grant) -> OAuthClientProvider:
    storage = _Storage(grant, ignore_tokens=True)
    provider = ClientCredentialsOAuthProvider(
        server_url=grant.url,
        storage=storage,
        client_id=grant.client_id,
        client_secret=grant.client_secret,
        scope=_scope(grant) or None,
        issuer=grant.issuer,
    )
    given = provider.context.client_metadata.model_dump()
    provider.context.client_metadata = _Metadata(**given, wanted=_scope(grant))
    storage.context = provider.context
    return provider


def _by_login(
    grant: Grant,
    redirect_uri: str,
    show: Callable[[str], Awaitable[None]],
    answer: Callable[[], Awaitable[AuthorizationCodeResult]],
) -> OAuthClientProvider:
    """Returns a provider for a login; without `redirect_uri`, one that refreshes the stored tokens."""
    storage = _Storage(grant, ignore_tokens=bool(redirect_uri), redirect_uri=redirect_uri)
    metadata = _Metadata(
        wanted=_scope(grant),
        redirect_uris=[AnyUrl(redirect_uri)] if redirect_uri else None,
        client_name="MCP Connector",
        scope=_scope(grant) or None,
        application_type="web",
    )
    provider = OAuthClientProvider(grant.url, metadata, storage, show, answer)
    storage.context = provider.context
    # Where to refresh: the SDK would discover it only during a login.
    if server := grant.stored.get("server"):
        provider.context.oauth_metadata = OAuthMetadata.model_validate(server)
    if resource := grant.stored.get("resource"):
        provider.context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(resource)
    return provider


def _scope(grant: Grant) -> str:
    """Returns the scopes that staff have set, those that were granted, and those that the server demanded."""
    granted = (grant.stored.get("tokens") or {}).get("scope") or ""
    return _united(grant.scope, granted, grant.stored.get("demanded", ""))


def _united(*scopes: str) -> str:
    return " ".join(dict.fromkeys(" ".join(scopes).split()))


async def _probe(grant: Grant, provider: OAuthClientProvider) -> None:
    transport = CappedTransport(EgressFilteredTransport(), RESPONSE_LIMIT)
    async with httpx2.AsyncClient(transport=transport, timeout=DEADLINE_S) as client:
        await client.post(grant.url, json=_PROBE, headers=_HEADERS, auth=provider)


async def _refuse_redirect(_: str) -> None:
    raise LoginRequired(Message("The tokens have expired. Somebody has to log in again."))


async def _refuse_answer() -> AuthorizationCodeResult:
    raise LoginRequired(Message("Nobody has logged in."))


def _dump(model: Any) -> dict[str, Any] | None:
    return None if model is None else dict(model.model_dump(mode="json", exclude_none=True))


def _redacted(error: OAuthFlowError, grant: Grant) -> str:
    """Returns the SDK's text for people: it may quote the server's answer, and that the client's secret."""
    text = str(error)
    return (text.replace(grant.client_secret, "********") if grant.client_secret else text)[:300]
