"""Answers what clients post: a JSON-RPC message, of either era, or a batch of an older version."""

from starlette.types import Receive, Send

from assistants.mcp_endpoint import capabilities, messages, methods, reach, streams
from assistants.mcp_endpoint import headers as http
from assistants.mcp_endpoint.answering import answered, encoded_headers, failed, heed
from assistants.mcp_endpoint.batches import answer_batch
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Message, Notification, Request, Response
from assistants.mcp_endpoint.outlet import Answer, Outlet, answer, send_empty, send_json
from assistants.mcp_endpoint.params import text
from assistants.mcp_endpoint.protocol import CAPABILITIES_META, INVALID_REQUEST, SESSION_VERSIONS, RpcError
from assistants.mcp_endpoint.sessions import opened
from assistants.mcp_endpoint.visitors import Visitor
from connector.wire.asking import askable
from core import metrics, strict_json

_LISTEN = "subscriptions/listen"


async def answer_post(visitor: Visitor, receive: Receive, send: Send) -> None:
    """Raises what is no answer to a request: an unreadable message, a session that is not there."""
    headers = visitor.headers
    strict_json.require_json_type(headers.get("content-type", ""), headers.get("content-encoding", ""))
    body = await _body(receive)
    if messages.is_batch(body):
        await answer_batch(visitor, body, receive, send)
        return
    message = await messages.parsed(body)
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
                await send_json(send, failed(visitor, message, error, is_stateless=True))
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
    return visitor.stateless_client(reached, capabilities)


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
        case Notification() | Response():
            await heed(session, message)
            await send_empty(send, 202)


async def _initialize(visitor: Visitor, request: Request, send: Send) -> None:
    try:
        http.require_acceptable(visitor.headers)
        asked = text(request, "protocolVersion")
        reached = await reach.find(visitor.principal, visitor.address)
    except Exception as error:  # noqa: BLE001 - the boundary of the request: rendered with its id
        await send_json(send, failed(visitor, request, error, is_stateless=False))
        return
    version = asked if asked in SESSION_VERSIONS else SESSION_VERSIONS[0]
    session = opened(visitor.principal.id, visitor.address.path, version, request.params.get("capabilities"))
    result = {
        "protocolVersion": version,
        "capabilities": capabilities.capabilities(reached),
        "serverInfo": capabilities.server_info(reached),
        **capabilities.instructions(reached),
    }
    metrics.MCP_SESSIONS.add(version)
    head = [(http.SESSION.encode(), session.id.encode())]
    await send_json(send, Answer(messages.result(request.id, result), headers=head))


async def _answer(visitor: Visitor, client: Client, request: Request, receive: Receive, send: Send) -> None:
    async def work(outlet: Outlet) -> Answer:
        return await answered(visitor, client, request, outlet)

    if methods.is_call(request.method):
        await answer(work, receive, send)
    else:
        await send_json(send, await work(Outlet()))


async def refuse(send: Send, refusal: RpcError) -> None:
    """Answers a request whose message is not known."""
    status = refusal.status or 400
    await send_json(send, Answer(messages.failure(None, refusal), status, encoded_headers(refusal)))


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RpcError(INVALID_REQUEST, "The client left before its message was complete.", status=400)
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
