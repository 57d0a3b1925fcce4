"""Answers what clients post: one JSON-RPC message a request, of either era."""

from starlette.types import Receive, Send

from assistants.mcp_endpoint import (
    callbacks,
    capabilities,
    errors,
    messages,
    methods,
    reach,
    running,
    streams,
)
from assistants.mcp_endpoint import headers as http
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Message, Notification, Request, Response
from assistants.mcp_endpoint.outlet import Answer, Outlet, answer, send_empty, send_json
from assistants.mcp_endpoint.params import text
from assistants.mcp_endpoint.protocol import CAPABILITIES_META, INVALID_REQUEST, SESSION_VERSIONS, RpcError
from assistants.mcp_endpoint.sessions import opened
from assistants.mcp_endpoint.visitors import Visitor
from connector.wire.asking import askable
from core import strict_json

_LISTEN = "subscriptions/listen"


async def answer_post(visitor: Visitor, receive: Receive, send: Send) -> None:
    """Raises what is no answer to a request: an unreadable message, a session that is not there."""
    headers = visitor.headers
    strict_json.require_json_type(headers.get("content-type", ""), headers.get("content-encoding", ""))
    message = await messages.parsed(await _body(receive))
    if http.is_stateless(headers, message):
        await _answer_stateless(visitor, message, receive, send)
    else:
        await _answer_of_session(visitor, message, receive, send)


async def _answer_stateless(visitor: Visitor, message: Message, receive: Receive, send: Send) -> None:
    match message:
        case Notification():
            await send_empty(send, 202)  # there is none that means anything: closing the stream cancels
        case Response():
            raise RpcError(INVALID_REQUEST, "This version has no requests of servers to answer.", status=400)
        case Request():
            try:
                client = await _stateless_client(visitor, message)
                if message.method == _LISTEN:
                    http.require_events(visitor.headers)
                    await streams.listen(client, message, receive, send)
                    return
            except Exception as error:  # noqa: BLE001 - the boundary of the request: rendered with its id
                await send_json(send, _failure(visitor, message, error, is_stateless=True))
                return
            await _answer(visitor, client, message, receive, send)


async def _stateless_client(visitor: Visitor, request: Request) -> Client:
    """Raises RpcError."""
    http.require_acceptable(visitor.headers)
    http.require_envelope(visitor.headers, request)
    reached = await reach.find(visitor.principal, visitor.address)
    if request.method == "tools/call" and (tool := reached.tools.get(str(request.params.get("name")))):
        arguments = request.params.get("arguments")
        http.require_equal_parameters(visitor.headers, tool.function.input_schema, arguments)
    capabilities = askable(request.meta[CAPABILITIES_META])
    return Client(visitor.principal, visitor.address, reached, visitor.request_id, capabilities)


async def _answer_of_session(visitor: Visitor, message: Message, receive: Receive, send: Send) -> None:
    if isinstance(message, Request) and message.method == "initialize":
        await _initialize(visitor, message, send)
        return
    session = await visitor.session()
    match message:
        case Request():
            http.require_acceptable(visitor.headers)
            reached = await reach.find(visitor.principal, visitor.address)
            client = visitor.client(session, reached)
            await _answer(visitor, client, message, receive, send)
        case Notification("notifications/cancelled", params):
            if isinstance(request_id := params.get("requestId"), str | int):
                await running.cancel(session, request_id)
            await send_empty(send, 202)
        case Notification():
            await send_empty(send, 202)
        case Response():
            await callbacks.answered(session, message)
            await send_empty(send, 202)


async def _initialize(visitor: Visitor, request: Request, send: Send) -> None:
    try:
        http.require_acceptable(visitor.headers)
        asked = text(request, "protocolVersion")
        reached = await reach.find(visitor.principal, visitor.address)
    except Exception as error:  # noqa: BLE001 - the boundary of the request: rendered with its id
        await send_json(send, _failure(visitor, request, error, is_stateless=False))
        return
    version = asked if asked in SESSION_VERSIONS else SESSION_VERSIONS[0]
    session = opened(visitor.principal.id, visitor.address.path, version, request.params.get("capabilities"))
    result = {
        "protocolVersion": version,
        "capabilities": capabilities.capabilities(reached, is_stateless=False),
        "serverInfo": capabilities.server_info(reached),
        **capabilities.instructions(reached),
    }
    head = [(http.SESSION.encode(), session.id.encode())]
    await send_json(send, Answer(messages.result(request.id, result), headers=head))


async def _answer(visitor: Visitor, client: Client, request: Request, receive: Receive, send: Send) -> None:
    """Answers a request; what fails is an answer, too."""

    async def work(out: Outlet) -> Answer:
        try:
            return Answer(messages.result(request.id, await methods.answer(client, request, out)))
        except Exception as error:  # noqa: BLE001 - the boundary of the request: rendered with its id
            return _failure(visitor, request, error, is_stateless=client.is_stateless)

    async def cancellable(out: Outlet) -> Answer:
        if client.session is None:
            return await work(out)
        with running.cancellable_by(client.session, request.id):
            return await work(out)

    if methods.is_call(request.method):
        await answer(cancellable, receive, send)
    else:
        await send_json(send, await work(Outlet()))


def _failure(visitor: Visitor, request: Request, error: Exception, *, is_stateless: bool) -> Answer:
    refusal = errors.rpc_error(error, visitor.address.path, visitor.public_url)
    status = refusal.stateless_status if is_stateless else refusal.status or 200
    return Answer(messages.failure(request.id, refusal), status, _encoded(refusal))


async def refuse(send: Send, refusal: RpcError) -> None:
    """Answers a request whose message is not known."""
    status = refusal.status or 400
    await send_json(send, Answer(messages.failure(None, refusal), status, _encoded(refusal)))


def _encoded(refusal: RpcError) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in refusal.headers.items()]


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RpcError(INVALID_REQUEST, "The client left before its message was complete.", status=400)
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
