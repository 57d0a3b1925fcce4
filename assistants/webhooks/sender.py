"""Sends deliveries that are due. However slow one receiver is, the others are told at once."""

import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import asynccontextmanager

import aiohttp
from anyio.from_thread import start_blocking_portal
from django.utils import timezone

from assistants.models import Delivery
from assistants.webhooks import deliveries, payload
from assistants.webhooks.deliveries import Attempt
from assistants.webhooks.turns import Turn
from core.message import told
from tools.outbound.egress import AddressRefused
from tools.outbound.http import filtered_connector
from tools.secrets.encryption import UndecryptableSecret

log = logging.getLogger(__name__)

DEADLINE_S = 10.0
AT_ONCE = 10
"""To one webhook. The next are sent to it when all of these have ended."""
_LOOK_EVERY_S = 1.0
_turn = Turn()
_SHOWN_BYTES = 200
"""Of an answer that says what is wrong. The rest is not read."""


def send_due(*, for_s: float, turn: Turn = _turn) -> int:
    """Sends what is due, for `for_s` seconds and the last deadline. Returns the number of attempts.

    While a call looks for what is due, others of its process leave that to it: slow receivers, and many
    events at once, keep one thread of a worker busy, and not all.
    """
    return _sent(time.monotonic() + for_s, turn) if turn.take() else 0


def _sent(until: float, turn: Turn) -> int:
    count, is_looking = 0, True
    running: dict[Future[Attempt], Delivery] = {}
    try:
        # The requests are in a loop of another thread, because the rows are read and written in this one.
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(_session()) as session:
            while running or is_looking:
                if is_looking:
                    turn.begin()
                    busy = {delivery.webhook_id for delivery in running.values()}
                    for delivery in deliveries.claim(AT_ONCE, busy=busy):
                        running[portal.start_task_soon(_attempt, session, delivery)] = delivery
                        count += 1
                    has_time = time.monotonic() < until
                    if not (running and has_time):
                        is_looking = not turn.end(unless_asked=has_time)
                for ended in wait(running, _LOOK_EVERY_S, FIRST_COMPLETED).done:
                    deliveries.finish(running.pop(ended), ended.result())
    finally:
        if is_looking:
            turn.end()
    return count


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        connector=filtered_connector(limit=0),
        timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        yield session


async def _attempt(session: aiohttp.ClientSession, delivery: Delivery) -> Attempt:
    try:
        return await _send(session, delivery)
    except UndecryptableSecret as error:
        return Attempt(None, told(error))
    except TimeoutError:
        return Attempt(None, f"There was no answer within {DEADLINE_S:g} s.")
    except (aiohttp.ClientError, ValueError) as error:
        return Attempt(None, _reason(error))
    except Exception as error:  # one delivery's boundary: the others are sent
        log.exception("Delivery %d failed by a fault of ours.", delivery.pk)
        return Attempt(None, f"It could not be sent: {type(error).__name__}.")


async def _send(session: aiohttp.ClientSession, delivery: Delivery) -> Attempt:
    webhook, event = delivery.webhook, delivery.event
    sent = payload.body(event)
    headers = payload.headers(webhook, event, sent, at=timezone.now())
    # No redirect: it would lead to an address that nobody entered.
    async with session.post(str(webhook.url), data=sent, headers=headers, allow_redirects=False) as response:
        if 200 <= response.status < 300:
            return Attempt(response.status)
        shown = (await response.content.read(_SHOWN_BYTES)).decode(errors="replace").replace("\0", "")
        return Attempt(response.status, f"It answered with status {response.status}. {shown}".strip())


def _reason(error: Exception) -> str:
    """Returns what is wrong without the library's text, which quotes the address: parts of it are secret."""
    cause = getattr(error, "os_error", None)
    if isinstance(cause, AddressRefused):
        return told(cause)
    return f"It could not be reached: {type(error).__name__}."
