"""Sends deliveries that are due."""

import asyncio
import logging
import time
from collections.abc import Sequence

import aiohttp
from django.utils import timezone

from assistants.models import Delivery
from assistants.webhooks import deliveries, payload
from assistants.webhooks.deliveries import Attempt
from core.message import told
from tools.outbound.egress import AddressRefused
from tools.outbound.http import filtered_connector
from tools.secrets.encryption import UndecryptableSecret

log = logging.getLogger(__name__)

DEADLINE_S = 10.0
AT_ONCE = 50
_SHOWN_BYTES = 200
"""Of an answer that says what is wrong. The rest is not read."""


def send_due(*, for_s: float) -> int:
    """Sends what is due, for `for_s` seconds and the last deadline. Returns the number of attempts."""
    count, until = 0, time.monotonic() + for_s
    while time.monotonic() < until and (claimed := deliveries.claim(AT_ONCE)):
        attempts = asyncio.run(_send_all(claimed))
        for delivery, attempt in zip(claimed, attempts, strict=True):
            deliveries.finish(delivery, attempt)
        count += len(claimed)
    return count


async def _send_all(claimed: Sequence[Delivery]) -> list[Attempt]:
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with aiohttp.ClientSession(
        connector=filtered_connector(limit=0),
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        return await asyncio.gather(*(_attempt(session, delivery) for delivery in claimed))


async def _attempt(session: aiohttp.ClientSession, delivery: Delivery) -> Attempt:
    try:
        return await _send(session, delivery)
    except UndecryptableSecret as error:
        return Attempt(None, told(error))
    except TimeoutError:
        return Attempt(None, f"There was no answer within {DEADLINE_S:g} s.")
    except (aiohttp.ClientError, ValueError) as error:
        return Attempt(None, _reason(error))
    except Exception as error:  # one delivery's boundary: the others of the batch are sent
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
