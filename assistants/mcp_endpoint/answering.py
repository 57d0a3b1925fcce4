"""Answers to single messages, in whatever HTTP request they come."""

from assistants.mcp_endpoint import callbacks, errors, messages, methods, roots, running
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Notification, Request, Response
from assistants.mcp_endpoint.outlet import Answer, Outlet
from assistants.mcp_endpoint.protocol import RpcError
from assistants.mcp_endpoint.sessions import Session
from assistants.mcp_endpoint.visitors import Visitor
from core import metrics, tracing


async def answered(visitor: Visitor, client: Client, request: Request, outlet: Outlet) -> Answer:
    """Answers a request; what fails is an answer, too. The client can cancel it."""
    if client.session is None:
        return await _answered(visitor, client, request, outlet)
    with running.cancellable_by(client.session, request.id):
        return await _answered(visitor, client, request, outlet)


async def _answered(visitor: Visitor, client: Client, request: Request, outlet: Outlet) -> Answer:
    name, outcome = methods.known(request.method), "cancelled"
    try:
        with tracing.continued(name, request.meta, {"mcp.method.name": name}):
            answer = Answer(messages.result(request.id, await methods.answer(client, request, outlet)))
        outcome = "ok"
    except Exception as error:  # noqa: BLE001 - the boundary of the request: rendered with its id
        answer, outcome = failed(visitor, request, error, is_stateless=client.is_stateless), "error"
    finally:
        metrics.MCP_REQUESTS.add(name, outcome)
    return answer


def failed(visitor: Visitor, request: Request, error: Exception, *, is_stateless: bool) -> Answer:
    refusal = errors.rpc_error(error, visitor.address.path, visitor.public_url)
    status = refusal.stateless_status if is_stateless else refusal.status or 200
    return Answer(messages.failure(request.id, refusal), status, encoded_headers(refusal))


async def heed(session: Session, message: Notification | Response) -> None:
    """Takes in what a client of a session says without an answer."""
    match message:
        case Response():
            await callbacks.answered(session, message)
        case Notification("notifications/cancelled", params):
            if isinstance(request_id := params.get("requestId"), str | int):
                await running.cancel(session, request_id)
        case Notification("notifications/roots/list_changed"):
            roots.changed(session)


def encoded_headers(refusal: RpcError) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in refusal.headers.items()]
