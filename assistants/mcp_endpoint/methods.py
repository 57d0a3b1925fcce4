"""The methods of both eras, and what answers each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from assistants.mcp_endpoint import calls, capabilities, following, lists, params, retrieval, states
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Request
from assistants.mcp_endpoint.outlet import Outlet
from assistants.mcp_endpoint.protocol import (
    LOG_LEVELS,
    METHOD_NOT_FOUND,
    SERVER_INFO_META,
    STATELESS_VERSIONS,
    RpcError,
    invalid_params,
)
from assistants.selection import meta_tools

MOST_RESOURCES = 100
"""Resources that one session may follow, or one stream of the stateless era."""
_LONGEST_URI = 2048

Handler = Callable[[Client, Request, Outlet], Awaitable[dict[str, Any] | bytes]]


async def answer(client: Client, request: Request, outlet: Outlet) -> dict[str, Any] | bytes:
    """Returns the result of a request, as a dictionary or as JSON. Raises RpcError."""
    methods = _STATELESS if client.is_stateless else _OF_SESSIONS
    if (handler := methods.get(request.method)) is None:
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {request.method[:128]}")
    return await handler(client, request, outlet)


def known(method: str) -> str:
    """Returns the method, or "other" where there is none of this name."""
    return method if method in _STATELESS or method in _OF_SESSIONS else "other"


def is_call(method: str) -> bool:
    """Whether a server is asked: it may take long, report progress and ask back."""
    return method in _CALLS


async def _list(client: Client, request: Request, _: Outlet) -> bytes:
    cursor = request.params.get("cursor")
    return lists.page(client.reach, request.method, cursor, is_stateless=client.is_stateless)


async def _ping(*_: object) -> dict[str, Any]:
    return {}


async def _discover(client: Client, *_: object) -> dict[str, Any]:
    return {
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
        "supportedVersions": list(STATELESS_VERSIONS),
        "capabilities": capabilities.capabilities(client.reach),
        **capabilities.instructions(client.reach),
        "_meta": {SERVER_INFO_META: capabilities.server_info(client.reach)},
    }


async def _set_level(client: Client, request: Request, _: Outlet) -> dict[str, Any]:
    level = params.text(request, "level")
    if level not in LOG_LEVELS:
        raise invalid_params(f'"level" must be one of {", ".join(LOG_LEVELS)}.')
    if client.session is not None:
        await states.change(client.session, log_level=level)
    return {}


async def _subscribe(client: Client, request: Request, _: Outlet) -> dict[str, Any]:
    uri = params.text(request, "uri")
    if client.reach.server_of(uri) is None:
        raise calls.unknown_resource(client, uri)
    if not can_follow(client, uri):
        raise RpcError(METHOD_NOT_FOUND, "The server of this resource does not tell when it changes.")
    if client.session is not None:
        followed_already = (await states.of(client.session)).resources
        if len(followed_already) >= MOST_RESOURCES and uri not in followed_already:
            raise invalid_params(f"A session may follow {MOST_RESOURCES} resources.")
        if uri not in followed_already:
            async with following.followed(client.session, uri):
                await states.change(client.session, resources=followed_already | {uri})
    return {}


async def _unsubscribe(client: Client, request: Request, _: Outlet) -> dict[str, Any]:
    uri = params.text(request, "uri")
    if client.session is not None:
        await states.change(client.session, resources=(await states.of(client.session)).resources - {uri})
    return {}


def can_follow(client: Client, uri: Any) -> bool:
    """Whether the server of a resource tells when it changes."""
    # Sessions keep URIs in a list that spaces divide; a URI has none (RFC 3986, section 2).
    if not isinstance(uri, str) or len(uri) > _LONGEST_URI or uri.split() != [uri]:
        return False
    server = client.reach.server_of(uri)
    return server is not None and server.announces("resources", "subscribe")


async def _call_tool(client: Client, request: Request, outlet: Outlet) -> dict[str, Any]:
    name = request.params.get("name")
    if client.reach.searches and name == meta_tools.SEARCH:
        return await retrieval.find_tools(client, request)
    if client.reach.searches and name == meta_tools.CALL:
        return await retrieval.call_found(client, request, outlet)
    return await calls.call_tool(client, request, outlet)


_LISTS: Mapping[str, Handler] = dict.fromkeys(lists.LISTS, _list)
_CALLS: Mapping[str, Handler] = {
    "tools/call": _call_tool,
    "resources/read": calls.read_resource,
    "prompts/get": calls.get_prompt,
    "completion/complete": calls.complete,
}
_STATELESS: Mapping[str, Handler] = {**_LISTS, **_CALLS, "server/discover": _discover}
_OF_SESSIONS: Mapping[str, Handler] = {
    **_LISTS,
    **_CALLS,
    "ping": _ping,
    "logging/setLevel": _set_level,
    "resources/subscribe": _subscribe,
    "resources/unsubscribe": _unsubscribe,
}
