"""The conversation that a request is about: more than its messages, where it asks for that."""

from collections.abc import Mapping, Sequence
from typing import Any

from assistants.catalogue.entries import AssistantEntry
from assistants.conversations import hidden_rounds, images, stored_history
from assistants.openai_api.chat import message_order, request
from assistants.openai_api.chat.request import ChatCompletionRequest
from assistants.recording import Origin
from core.errors import InvalidRequest

Messages = Sequence[Mapping[str, Any]]


def is_stored(asked: ChatCompletionRequest) -> bool:
    return asked.mcp_connector is not None and asked.mcp_connector.history == "stored"


async def said(content: Mapping[str, Any], asked: ChatCompletionRequest, origin: Origin) -> Messages:
    """What was stored, if that is wanted, and the request's messages.

    `content`: the request as it was sent, of whose messages `asked` holds only the validated part. Raises
    InvalidRequest.
    """
    messages: Messages = content["messages"]
    if is_stored(asked):
        messages = [*await _stored(origin), *messages]
        message_order.check(request.validate({**content, "messages": messages}).messages)
    return messages


async def whole(messages: Messages, origin: Origin, assistant: AssistantEntry) -> Messages:
    """With the images, and with what was hidden. Raises InvalidRequest."""
    fetched = await images.fetched(messages)
    return await hidden_rounds.restored(fetched, origin.principal, assistant)


async def _stored(origin: Origin) -> Messages:
    if origin.session_id is None:
        message = "A stored history needs the id of its session: X-Session-Id, or session_id."
        raise InvalidRequest(message, param="mcp_connector.history", code="missing_required_parameter")
    return await stored_history.load(origin.principal.id, origin.session_id)
