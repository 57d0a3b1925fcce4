"""Responses in the background, as callers see them: asked for, followed and cancelled."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from assistants.models import StoredResponse
from assistants.openai_api.http import STARTED
from assistants.openai_api.responses import background_store, store
from assistants.openai_api.responses.prepare import Work
from assistants.openai_api.responses.stream import frames
from assistants.openai_api.sse import HEARTBEAT
from core import broker

log = logging.getLogger(__name__)

TASK = "assistants.tasks.respond"
LOOK_EVERY_S = 0.25
_LAST_EVENTS = {"response.completed", "response.incomplete", "response.failed"}


async def enqueue(work: Work, content: Mapping[str, Any]) -> StoredResponse:
    """Written down first: what a worker should do stands in the database, the message only tells of it."""
    events = work.answer.queue()
    row = store.new_row(work.principal.id, work.answer.body, work.input)
    row.request = {
        "body": content,
        "request_id": work.origin.request_id,
        "session_id": work.origin.session_id,
    }
    await background_store.open_for(row, events)
    try:
        await asyncio.to_thread(broker.send, TASK, expires_s=60)
    except broker.BROKER_ERRORS as error:
        log.warning("No worker could be told of response %s yet: %s", row.response_id, type(error).__name__)
    return row


async def cancel(row: StoredResponse) -> None:
    """One that is over stays as it is."""
    await background_store.cancel(row.pk)


async def events(row: StoredResponse, *, after: int = -1, heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    """Those with a `sequence_number` greater than `after`, until the response is over or deleted."""
    silent_s = 0.0
    yield STARTED
    yield HEARTBEAT
    while True:
        page = await background_store.page(row.pk, after=after)
        if page.events:
            after, silent_s = page.events[-1]["sequence_number"], 0.0
            yield frames(page.events)
            if page.events[-1]["type"] in _LAST_EVENTS:
                return
        if page.is_last:
            if page.ended_as:
                yield frames([_last_event(page.ended_as, after + 1)])
            return
        await asyncio.sleep(LOOK_EVERY_S)
        silent_s += LOOK_EVERY_S
        if silent_s >= heartbeat_s:
            silent_s = 0.0
            yield HEARTBEAT


def _last_event(resource: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Of a response that no worker could end: it was lost, or cancelled before it began."""
    kind = "failed" if resource["status"] == "failed" else "incomplete"
    return {"type": f"response.{kind}", "sequence_number": number, "response": resource}
