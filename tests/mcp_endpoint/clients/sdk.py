"""The SDK's own client, as its makers have the suite check it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
from mcp import types
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import AnyUrl

from tests.mcp_endpoint.clients.browser import REDIRECT_URI, consent
from tests.mcp_endpoint.clients.scenarios import Task, accepted, play

METADATA_URL = "https://conformance-test.local/client-metadata.json"
HANDSHAKE_ONLY = {"json-schema-ref-no-deref"}
"""Whose server speaks the older era, whatever the version that is asked for."""


async def sdk(task: Task) -> None:
    async with _connected(task) as client:
        await play(task, _Connection(client))


@asynccontextmanager
async def _connected(task: Task) -> AsyncIterator[Client]:
    is_modern = task.version in MODERN_PROTOCOL_VERSIONS and task.scenario not in HANDSHAKE_ONLY
    options: dict[str, Any] = {"mode": "auto" if is_modern else "legacy", "elicitation_callback": _accept}
    if task.scenario == "request-metadata":
        options |= {"sampling_callback": _sample, "list_roots_callback": _list_roots}
    async with AsyncExitStack() as stack:
        auth = _provider(task) if task.scenario.startswith("auth/") else None
        http = await stack.enter_async_context(httpx2.AsyncClient(auth=auth, timeout=30))
        yield await stack.enter_async_context(
            Client(streamable_http_client(task.url, http_client=http), **options)
        )


class _Connection:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def list_tools(self) -> list[dict[str, Any]]:
        listed = await self._client.list_tools()
        return [tool.model_dump(by_alias=True, exclude_none=True) for tool in listed.tools]

    async def call(self, name: str, arguments: dict[str, Any]) -> None:
        await self._client.call_tool(name, arguments)

    async def read_all(self) -> None:
        resources = await self._client.list_resources()
        await self._client.read_resource(str(resources.resources[0].uri))
        prompts = await self._client.list_prompts()
        await self._client.get_prompt(prompts.prompts[0].name)


async def _accept(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult.model_validate(accepted(params.model_dump(by_alias=True)))


async def _sample(*_: Any) -> types.CreateMessageResult:
    return types.CreateMessageResult(role="assistant", content=types.TextContent(text=""), model="none")


async def _list_roots(_: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[])


def _provider(task: Task) -> httpx2.Auth:
    given = {name: task.context.get(name) for name in ("client_id", "client_secret")}
    if task.scenario == "auth/client-credentials-basic":
        return ClientCredentialsOAuthProvider(
            task.url, _Storage(), **given, token_endpoint_auth_method="client_secret_basic"
        )
    return _login(task, _Storage(_client(**given) if given["client_id"] else None))


def _client(client_id: str, client_secret: str) -> OAuthClientInformationFull:
    return OAuthClientInformationFull(
        client_id=client_id,
        client_secret=client_secret,
        redirect_uris=[AnyUrl(REDIRECT_URI)],
        token_endpoint_auth_method="client_secret_basic",
    )


def _login(task: Task, storage: "_Storage") -> OAuthClientProvider:
    answers: list[dict[str, str]] = []

    async def show(url: str) -> None:
        answers.append(await consent(url))

    async def answer() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(answers.pop())

    metadata = OAuthClientMetadata(
        client_name="tests",
        redirect_uris=[AnyUrl(REDIRECT_URI)],
        grant_types=["authorization_code", "refresh_token"],
    )
    return OAuthClientProvider(task.url, metadata, storage, show, answer, client_metadata_url=METADATA_URL)


class _Storage:
    def __init__(self, client: OAuthClientInformationFull | None = None) -> None:
        self._client = client
        self._tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info
