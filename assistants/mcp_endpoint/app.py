"""The endpoint as an ASGI application: who asks, at which address, and by which HTTP method.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports and
https://modelcontextprotocol.io/specification/2026-07-28/basic/transports.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from django.conf import settings
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from apikeys.authentication import authenticate
from assistants.mcp_endpoint import addresses, bus, errors, posts, reach, states, streams
from assistants.mcp_endpoint import headers as http
from assistants.mcp_endpoint.outlet import Answer, send_empty, send_json
from assistants.mcp_endpoint.protocol import INVALID_REQUEST, REFUSED, STATELESS_VERSIONS, RpcError
from assistants.mcp_endpoint.visitors import Visitor
from connector.client import requests


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Sessions work in several processes for as long as the context lasts."""
    async with bus.lifespan():
        yield


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers one request to the endpoint."""
    headers = http.of(scope)
    public_url = _public_url(scope, headers)
    try:
        http.require_known_origin(headers)
        visitor = await _visitor(scope, headers, public_url)
        await _answer(visitor, scope["method"], receive, send)
    except Exception as error:  # noqa: BLE001 - the boundary of the endpoint: rendered, and logged there
        await posts.refuse(send, errors.rpc_error(error, scope["path"], public_url))


async def metadata(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the endpoint's metadata (RFC 9728), where there is an authorization server."""
    headers = http.of(scope)
    path = scope["path"].removeprefix(addresses.METADATA)
    if not settings.MCP_AUTHORIZATION_SERVERS or addresses.parsed(path or addresses.ROOT, b"") is None:
        await posts.refuse(send, RpcError(REFUSED, "There is nothing at this address.", status=404))
        return
    public_url = _public_url(scope, headers)
    body = {
        "resource": f"{public_url}{path or addresses.ROOT}",
        "authorization_servers": settings.MCP_AUTHORIZATION_SERVERS,
        "bearer_methods_supported": ["header"],
    }
    await send_json(send, Answer(orjson.dumps(body)))


def _public_url(scope: Scope, headers: Headers) -> str:
    return settings.PUBLIC_URL or f"{scope['scheme']}://{headers.get('host', '')}"


async def _visitor(scope: Scope, headers: Headers, public_url: str) -> Visitor:
    """Raises RpcError (404) and what authentication raises."""
    address = addresses.parsed(scope["path"], scope["query_string"])
    if address is None:
        message = f"There is nothing at this address. MCP is at {addresses.FORMS}."
        raise RpcError(REFUSED, message, status=404)
    caller = scope.get("client")
    principal = await authenticate(headers.get("authorization"), caller[0] if caller else "")
    return Visitor(principal, address, headers, public_url)


async def _answer(visitor: Visitor, method: str, receive: Receive, send: Send) -> None:
    is_stateless = visitor.headers.get(http.VERSION) in STATELESS_VERSIONS
    match method:
        case "POST":
            await posts.answer_post(visitor, receive, send)
        case "GET" if not is_stateless:
            await _follow(visitor, receive, send)
        case "DELETE" if not is_stateless:
            await _end(visitor, send)
        case _:
            allowed = "POST" if is_stateless else "POST, GET, DELETE"
            message = f"This address answers only to {allowed}."
            raise RpcError(INVALID_REQUEST, message, status=405, headers={"allow": allowed})


async def _follow(visitor: Visitor, receive: Receive, send: Send) -> None:
    http.require_events(visitor.headers)
    session = await visitor.session()
    reached = await reach.find(visitor.principal, visitor.address)
    await streams.follow_session(visitor.client(session, reached), session, receive, send)


async def _end(visitor: Visitor, send: Send) -> None:
    session = await visitor.session()
    await states.change(session, has_ended=True)
    await requests.end_session(session.name)
    await send_empty(send, 200)
