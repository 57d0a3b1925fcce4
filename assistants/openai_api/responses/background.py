"""Background responses on the side of the web process: enqueues, follows and cancels them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import Any

from apikeys.principal import Principal
from assistants.agent import cancellation
from assistants.agent.cancellation import CancelScope
from assistants.models import StoredResponse
from assistants.openai_api import errors
from assistants.openai_api.http import STARTED
from assistants.openai_api.responses import background_store, store
from assistants.openai_api.responses.background_store import LAST_EVENTS
from assistants.openai_api.responses.prepare import Caller, PreparedResponse
from assistants.openai_api.responses.stream import frames
from assistants.openai_api.sse import HEARTBEAT
from core import broker, tracing

log = logging.getLogger(__name__)

TASK = "assistants.tasks.respond"
POLL_EVERY_S = 0.25


async def enqueue(prepared: PreparedResponse, content: Mapping[str, Any]) -> StoredResponse:
    """Saves the request as a row, and sends the workers a message that there is one."""
    events = prepared.answer.queue()
    row = store.new_row(prepared.principal.id, prepared.answer.body, prepared.input)
    origin = prepared.origin
    caller = Caller(origin.request_id, origin.session_id, origin.end_user)
    row.request = {"body": content, **asdict(caller), "trace": tracing.carried()}
    await background_store.insert(row, events)
    # The row is the order. A message that is lost costs time alone: beat sends another every ten seconds.
    try:
        await asyncio.to_thread(broker.send, TASK, expires_s=60)
    except broker.BROKER_ERRORS as error:
        log.warning(
            "The message that response %s waits could not be sent: %s", row.response_id, type(error).__name__
        )
    return row


async def cancel(row: StoredResponse) -> None:
    """Cancels a response that is not over yet."""
    await background_store.cancel(row.pk)


async def events(
    row: StoredResponse, principal: Principal, *, after: int = -1, heartbeat_s: float
) -> AsyncGenerator[bytes, None]:
    """Yields events whose `sequence_number` is greater than `after`, until the response is over or deleted.

    They come from the database: any process can follow a response, and a caller can come back to it. A caller
    whose key is taken away meanwhile gets an event of the type `error`, and no more.
    """
    with cancellation.registered(principal) as scope:
        async for piece in _events(row, scope, after=after, heartbeat_s=heartbeat_s):
            yield piece


async def _events(
    row: StoredResponse, scope: CancelScope, *, after: int, heartbeat_s: float
) -> AsyncGenerator[bytes, None]:
    silent_s = 0.0
    yield STARTED
    yield HEARTBEAT  # so that a client has the headers at once: the first event may be minutes away
    while True:
        if scope.reason is not None:
            yield frames([_error(scope.reason, after + 1)])
            return
        page = await background_store.page(row.pk, after=after)
        if page.events:
            after, silent_s = page.events[-1]["sequence_number"], 0.0
            yield frames(page.events)
            if page.events[-1]["type"] in LAST_EVENTS:
                return
        if page.is_last:
            if page.ended_as and page.next_number > after:
                yield frames([_last_event(page.ended_as, page.next_number)])
            return
        await asyncio.sleep(POLL_EVERY_S)
        silent_s += POLL_EVERY_S
        if silent_s >= heartbeat_s:
            silent_s = 0.0
            yield HEARTBEAT


def _error(reason: Exception, number: int) -> dict[str, Any]:
    error = errors.envelope(reason)["error"]
    shown = {name: error[name] for name in ("code", "message", "param")}
    return {"type": "error", "sequence_number": number, **shown}


def _last_event(resource: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Returns the event that no worker wrote: the response was lost, or cancelled before it began."""
    kind = "failed" if resource["status"] == "failed" else "incomplete"
    return {"type": f"response.{kind}", "sequence_number": number, "response": resource}
