"""Hearing of changes at once: the poll would find them a second later."""

import asyncio
import logging
from collections.abc import Callable

import psycopg

from core.database import connect, notifications
from core.feed import CHANNEL

log = logging.getLogger(__name__)

CHECK = "check"
"""Notified to have servers checked whose last check is old; with `:<id>`, to have that one checked now."""
_TABLES = frozenset({"tools_mcptool", "connector_instance"})
_RETRY_S = 1.0
_ALIVE_S = 5.0


async def listen(on_change: Callable[[], None], on_check: Callable[[int | None], None]) -> None:
    """For ever, through failures of the database."""
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
            heard = await notifications(connection, within_s=_ALIVE_S)
            for notification in heard:
                _tell(notification.payload, on_change, on_check)
            if not heard:
                async with asyncio.timeout(_ALIVE_S):
                    await connection.execute("SELECT 1")


def _tell(what: str, on_change: Callable[[], None], on_check: Callable[[int | None], None]) -> None:
    if what in _TABLES:
        on_change()
    elif what == CHECK:
        on_check(None)
    elif what.startswith(f"{CHECK}:"):
        on_check(int(what.removeprefix(f"{CHECK}:")))
