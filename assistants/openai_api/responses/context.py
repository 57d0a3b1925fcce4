"""What a request goes on from: an earlier response, a conversation, or single items that it refers to."""

from collections.abc import Mapping, Sequence
from typing import Any

from apikeys.authentication import Principal
from assistants.openai_api.responses import ids, store, transcript
from assistants.openai_api.responses.request import ResponseRequest
from assistants.openai_api.responses.transcript import Items
from core.errors import InvalidRequest


async def gathered(
    asked: ResponseRequest, own: Sequence[dict[str, Any]], principal: Principal
) -> tuple[Items, Items]:
    """The items that came before, and the request's own without references. Raises InvalidRequest.

    The database is asked only where there is something to find.
    """
    before: Items = []
    if asked.previous_response_id:
        before = await _chain(asked.previous_response_id, principal)
    elif asked.conversation_id:
        before = await store.conversation_items(principal.id, asked.conversation_id)
    return before, await _without_references(own, before, principal)


async def _chain(response_id: str, principal: Principal) -> Items:
    chain = await store.chain(principal.id, response_id)
    if not chain.is_whole:
        message = f"Previous response with id '{response_id}' not found, or one that it goes on from."
        raise InvalidRequest(message, param="previous_response_id", code="previous_response_not_found")
    if not chain.is_over:
        message = f"Previous response with id '{response_id}' is not finished."
        raise InvalidRequest(message, param="previous_response_id", code="previous_response_not_finished")
    return chain.items


async def _without_references(own: Items, before: Items, principal: Principal) -> Items:
    referenced = transcript.referenced(own)
    if not referenced:
        return own
    found: dict[str, Mapping[str, Any]] = {item["id"]: item for item in before}
    owners = {owner for item_id in referenced if (owner := ids.response_of(item_id)) is not None}
    for item in await store.items_of(principal.id, owners):
        found[item["id"]] = item
    return transcript.without_references(own, found)
