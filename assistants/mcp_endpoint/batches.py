"""Batches of messages, which the version 2025-03-26 has, and no other (JSON-RPC 2.0, section 6).

https://modelcontextprotocol.io/specification/2025-03-26/basic/transports, sending messages to the server.
"""

import asyncio
from collections.abc import Sequence

from starlette.types import Receive, Send

from assistants.mcp_endpoint import headers as http
from assistants.mcp_endpoint import messages, methods, reach
from assistants.mcp_endpoint.answering import answered, heed
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Message, Request
from assistants.mcp_endpoint.outlet import Answer, Outlet, answer, send_empty, send_json
from assistants.mcp_endpoint.protocol import INVALID_REQUEST, RpcError
from assistants.mcp_endpoint.sessions import Session
from assistants.mcp_endpoint.visitors import Visitor

VERSION = "2025-03-26"
MOST = 50
AT_ONCE = 8
"""Requests of a batch that are answered at once: the others wait."""


async def answer_batch(visitor: Visitor, body: bytes, receive: Receive, send: Send) -> None:
    """Raises RpcError for a batch that is refused as a whole."""
    session = await _session(visitor)
    found = await messages.parsed_batch(body)
    requests = _requests(found)
    http.require_acceptable(visitor.headers)
    client = visitor.client(session, await reach.find(visitor.principal, visitor.address))
    for message in found:
        if not isinstance(message, Request | RpcError):
            await heed(session, message)
    errors = [messages.failure(None, error) for error in found if isinstance(error, RpcError)]

    async def work(outlet: Outlet) -> Answer:
        answers = [*errors, *await _answers(visitor, client, requests, outlet)]
        return Answer(messages.batch(answers) if answers else b"", batch=answers)

    if not requests and not errors:
        await send_empty(send, 202)
    elif any(methods.is_call(request.method) for request in requests):
        await answer(work, receive, send)
    else:
        await send_json(send, await work(Outlet()))


async def _session(visitor: Visitor) -> Session:
    """Raises RpcError unless the session is of the version that has batches."""
    if visitor.headers.get(http.SESSION) is not None and not http.is_stateless(visitor.headers, None):
        session = await visitor.session()
        if session.version == VERSION:
            return session
    message = f"Send one message in each request: only sessions of the version {VERSION} have batches."
    raise RpcError(INVALID_REQUEST, message, status=400)


def _requests(found: Sequence[Message | RpcError]) -> list[Request]:
    """Returns the requests of a batch. Raises RpcError."""
    requests = [message for message in found if isinstance(message, Request)]
    if not 1 <= len(found) <= MOST:
        raise _invalid(f"A batch must have from 1 to {MOST} messages.")
    if any(request.method == "initialize" for request in requests):
        raise _invalid("A batch must not have the method 'initialize': it comes before all others.")
    if len({request.id for request in requests}) < len(requests):
        raise _invalid("Two requests of the batch have the same id.")
    return requests


def _invalid(message: str) -> RpcError:
    return RpcError(INVALID_REQUEST, message, status=400)


async def _answers(
    visitor: Visitor, client: Client, requests: Sequence[Request], outlet: Outlet
) -> list[bytes]:
    """Returns the answers in the order of the requests, but for those that the client has cancelled."""
    permits = asyncio.Semaphore(AT_ONCE)

    async def one(request: Request) -> bytes:
        async with permits:
            return (await answered(visitor, client, request, outlet)).body

    tasks = [asyncio.create_task(one(request)) for request in requests]
    try:
        if tasks:
            await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks if not task.cancelled()]
