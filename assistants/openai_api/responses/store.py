"""Responses as rows. Each function but `page` reads or writes the database once, in a thread."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.functions import Length
from django.utils import timezone

from assistants.models import StoredResponse
from assistants.openai_api.responses.transcript import Items
from core.database import in_thread
from core.errors import InvalidRequest

log = logging.getLogger(__name__)

MOST_LINKS = 1_000
_MOST_BODIES = 4
_CHAIN = """
WITH RECURSIVE chain (id, previous, size, depth) AS (
    SELECT id, previous_response_id, length(input) + length(body), 1
    FROM assistants_storedresponse
    WHERE response_id = %(response_id)s AND api_key_id = %(api_key_id)s AND expires_at > now()
  UNION ALL
    SELECT row.id, row.previous_response_id, length(input) + length(body), chain.depth + 1
    FROM assistants_storedresponse AS row JOIN chain ON row.response_id = chain.previous
    WHERE row.api_key_id = %(api_key_id)s AND row.expires_at > now() AND chain.depth < %(most)s
)
SELECT id, previous, size FROM chain ORDER BY depth DESC
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """The items of a response and of those before it. `is_whole`: none of the responses was deleted."""

    items: Items
    is_whole: bool
    is_over: bool = True


@in_thread
def chain(api_key_id: int, response_id: str) -> Chain:
    """Returns the response with all that it goes on from. Raises InvalidRequest for a very long chain."""
    params: dict[str, str | int] = {"response_id": response_id, "api_key_id": api_key_id, "most": MOST_LINKS}
    with connection.cursor() as cursor:
        cursor.execute(_CHAIN, params)
        links = cursor.fetchall()
    if not links or links[0][1]:
        return Chain([], is_whole=False)
    _require_affordable(size for _, _, size in links)
    rows = StoredResponse.objects.in_bulk([pk for pk, _, _ in links])
    ordered = [rows[pk] for pk, _, _ in links if pk in rows]
    return Chain(
        _items(ordered), is_whole=len(ordered) == len(links), is_over=all(row.is_over for row in ordered)
    )


@in_thread
def conversation_items(api_key_id: int, conversation: str) -> Items:
    """Returns the items of the conversation's finished responses, the oldest first. Raises InvalidRequest."""
    rows = StoredResponse.objects.of_key(api_key_id).filter(conversation=conversation)
    sizes = rows.annotate(size=Length("input") + Length("body")).values_list("size", flat=True)
    _require_affordable(sizes)
    return _items(row for row in rows.order_by("pk") if row.is_over)


def _require_affordable(sizes: Iterable[int]) -> None:
    # What a conversation reads into memory is bounded like a request: by a few of the largest bodies.
    if sum(sizes) > _MOST_BODIES * settings.CHAT_BODY_LIMIT:
        message = "The conversation is longer than can be gone on from."
        raise InvalidRequest(message, param="input", code="context_length_exceeded")


@in_thread
def items_of(api_key_id: int, response_ids: Collection[str]) -> Items:
    return _items(StoredResponse.objects.of_key(api_key_id).filter(response_id__in=response_ids))


def _items(rows: Iterable[StoredResponse]) -> list[Mapping[str, Any]]:
    return [item for row in rows for item in (*row.input, *row.body["output"])]


def new_row(api_key_id: int, body: Mapping[str, Any], items: Items) -> StoredResponse:
    """Returns an unsaved row."""
    return StoredResponse(
        response_id=body["id"],
        api_key_id=api_key_id,
        previous_response_id=body["previous_response_id"] or "",
        conversation=(body["conversation"] or {}).get("id", ""),
        is_background=body["background"],
        status=body["status"],
        input=list(items),
        body=body,
        expires_at=timezone.now() + timedelta(seconds=settings.RESPONSE_TTL_S),
    )


async def save(row: StoredResponse) -> None:
    """Saves the row. A failure is only logged: the caller gets its answer, which was paid for."""
    try:
        await _insert(row)
    except DatabaseError as error:
        log.error("Response %s could not be stored: %s", row.response_id, type(error).__name__)


@in_thread
def _insert(row: StoredResponse) -> None:
    row.save(force_insert=True)


@in_thread
def find(api_key_id: int, response_id: str) -> StoredResponse | None:
    return StoredResponse.objects.of_key(api_key_id).filter(response_id=response_id).first()


@in_thread
def delete(api_key_id: int, response_id: str) -> bool:
    """Returns whether there was one. A worker that runs it cancels the run when it next renews the lease."""
    return bool(StoredResponse.objects.of_key(api_key_id).filter(response_id=response_id).delete()[0])


def page(items: Sequence[Mapping[str, Any]], *, after: str | None, limit: int) -> dict[str, Any]:
    """Returns a list object of the items after the one with the id `after`. Raises InvalidRequest."""
    ids = [item["id"] for item in items]
    if after and after not in ids:
        message = f"No item of this list has the id '{after[:80]}'."
        raise InvalidRequest(message, param="after", code="invalid_value")
    start = ids.index(after) + 1 if after else 0
    shown = items[start : start + limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + limit < len(items),
    }
