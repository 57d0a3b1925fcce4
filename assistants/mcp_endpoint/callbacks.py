"""What servers ask back, brought to clients of the era of sessions as requests on the stream of the call.

The client posts its answer, to whichever process: the bus brings it to the one that waits.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from assistants.mcp_endpoint import bus, messages
from assistants.mcp_endpoint.messages import MessageId
from assistants.mcp_endpoint.outlet import Outlet
from assistants.mcp_endpoint.protocol import REFUSED
from assistants.mcp_endpoint.sessions import Session

_ANSWER = "answer"
_ELICITATION = "elicitation/create"
_NO_ANSWER: dict[str, Any] = {"error": {"code": REFUSED, "message": "The client did not answer in time."}}

_waiting: dict[tuple[str, MessageId], asyncio.Future[dict[str, Any]]] = {}
"""Who waits for the answer to a request of ours, by the name of the session and the id of the request."""


def introduced(requests: Mapping[str, Any], server: str) -> dict[str, Any]:
    """Returns requests of a server, with its name before the text of a form: people must know who asks."""
    return {name: _introduced(request, server) for name, request in requests.items()}


def _introduced(request: dict[str, Any], server: str) -> dict[str, Any]:
    if request.get("method") != _ELICITATION:
        return request
    params = request.get("params") or {}
    return {**request, "params": {**params, "message": f"{server}: {params.get('message', '')}"}}


async def ask(session: Session, outlet: Outlet, requests: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the client's answers by the names of `requests`: results, or `{"error": {..}}`."""
    answers = await asyncio.gather(*(_ask(session, outlet, request) for request in requests.values()))
    return dict(zip(requests, answers, strict=True))


async def _ask(session: Session, outlet: Outlet, request: Mapping[str, Any]) -> dict[str, Any]:
    message_id = f"ask-{secrets.token_hex(8)}"
    waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    _waiting[session.name, message_id] = waiting
    outlet.put(messages.request(message_id, request["method"], _params(request, message_id)))
    try:
        async with asyncio.timeout(settings.MCP_INPUT_TIMEOUT_S):
            await waiting
        return waiting.result()
    except TimeoutError:
        return _NO_ANSWER
    finally:
        del _waiting[session.name, message_id]


def _params(request: Mapping[str, Any], message_id: MessageId) -> dict[str, Any]:
    """Returns the params as the era of sessions has them: a page to open must have an id there."""
    params: dict[str, Any] = request.get("params") or {}
    is_page = request["method"] == _ELICITATION and params.get("mode") == "url"
    return {"elicitationId": message_id, **params} if is_page else params


async def answered(session: Session, response: messages.Response) -> None:
    """Gives a client's answer to whoever waits for it, here or in another process."""
    if not _resolve(session.name, response.id, response.outcome):
        await bus.send(_ANSWER, session.name, [response.id, response.outcome])


def _resolve(session: str, message_id: MessageId, outcome: dict[str, Any]) -> bool:
    waiting = _waiting.get((session, message_id))
    if waiting is None:
        return False
    if not waiting.done():
        waiting.set_result(outcome)
    return True


bus.receives(_ANSWER, lambda session, content: _resolve(session, *content))
