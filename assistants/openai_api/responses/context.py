"""The context of a request: an earlier response, a conversation, or single items that it refers to."""

from collections.abc import Mapping, Sequence
from typing import Any

from apikeys.authentication import Principal
from assistants.openai_api.responses import ids, store, transcript
from assistants.openai_api.responses.request import ResponseRequest
from assistants.openai_api.responses.transcript import Items
from core.errors import InvalidRequest


async def resolve(
    params: ResponseRequest, own: Sequence[dict[str, Any]], principal: Principal
) -> tuple[Items, Items]:
    """Returns the earlier items, and the request's own with references resolved. Raises InvalidRequest.

    A request without context costs no query.
    """
    before: Items = []
    if params.previous_response_id:
        before = await _chain(params.previous_response_id, principal)
    elif params.conversation_id:
        before = await store.conversation_items(principal.id, params.conversation_id)
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
