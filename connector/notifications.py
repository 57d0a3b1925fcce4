"""LISTEN/NOTIFY for supervisors: a change reaches them at once, and not only at their next poll."""

import asyncio
import logging
from collections.abc import Callable

import psycopg

from core.database import connect, notifications
from core.feed import CHANNEL
from tools.actions import CHECK

log = logging.getLogger(__name__)

_TABLES = frozenset({"tools_mcptool", "connector_instance"})
_RETRY_S = 1.0
_ALIVE_S = 5.0


async def listen(on_change: Callable[[], None], on_check: Callable[[int | None], None]) -> None:
    """Runs until it is cancelled, through failures of the database.

    `on_check` is given the id of a server, or None for all whose last check is old.
    """
    while True:
        try:
            await _listen(on_change, on_check)
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.debug("No notifications (%s); polling.", type(error).__name__)
        await asyncio.sleep(_RETRY_S)


async def _listen(on_change: Callable[[], None], on_check: Callable[[int | None], None]) -> None:
    async with await connect() as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        while True:
            received = await notifications(connection, within_s=_ALIVE_S)
            for notification in received:
                dispatch(notification.payload, on_change, on_check)
            # A connection whose peer has vanished looks like one without news.
            if not received:
                async with asyncio.timeout(_ALIVE_S):
                    await connection.execute("SELECT 1")


def dispatch(payload: str, on_change: Callable[[], None], on_check: Callable[[int | None], None]) -> None:
    """Calls what a payload is for. Nonsense is logged and ignored: anybody in the database may NOTIFY."""
    if payload in _TABLES:
        on_change()
        return
    command, _, server_id = payload.partition(":")
    if command != CHECK:
        return  # another table, for other listeners of the channel
    if not server_id:
        on_check(None)
    elif server_id.isascii() and server_id.isdigit():
        on_check(int(server_id))
    else:
        log.warning("A notification was ignored: %.100r names no server.", payload)
