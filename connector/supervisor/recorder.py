"""Writes down what servers offer, once for each change."""

import logging
from collections.abc import Awaitable
from typing import Any

from connector.leases.observation import Slot
from connector.lifecycle.server_task import ServerTask
from connector.session import Offers
from connector.supervisor import orm
from core.database import DATABASE_ERRORS

log = logging.getLogger(__name__)


class Recorder:
    """What cannot be written is logged and not tried again, until it changes. Raises DATABASE_ERRORS."""

    def __init__(self) -> None:
        self._tools: dict[Slot, list[dict[str, Any]]] = {}
        self._offers: dict[Slot, Offers] = {}

    async def record(self, slot: Slot, task: ServerTask) -> None:
        tools, offers = task.catalogue, task.offers
        if tools is not None and tools is not self._tools.get(slot):
            await _try(slot, orm.record_catalogue(slot.server_id, tools))
            self._tools[slot] = tools
        if offers is not None and offers != self._offers.get(slot):
            await _try(slot, orm.record_offers(slot.server_id, offers))
            self._offers[slot] = offers

    def forget(self, slot: Slot) -> None:
        self._tools.pop(slot, None)
        self._offers.pop(slot, None)


async def _try(slot: Slot, writing: Awaitable[None]) -> None:
    try:
        await writing
    except DATABASE_ERRORS:
        raise
    except Exception:
        log.exception("What MCP server %s offers could not be recorded.", slot)
