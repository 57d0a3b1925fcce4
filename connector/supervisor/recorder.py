"""The recorder stores what servers offer (tools, resources, prompts), once for each change."""

import logging
from collections.abc import Awaitable
from typing import Any

from connector.leases.observation import Slot
from connector.lifecycle.server_task import ServerTask
from connector.session import Capabilities
from connector.supervisor import orm
from core.database import DATABASE_ERRORS

log = logging.getLogger(__name__)


class Recorder:
    """A list that cannot be stored is logged, and tried again when it changes. Raises DATABASE_ERRORS."""

    def __init__(self) -> None:
        self._tools: dict[Slot, list[dict[str, Any]]] = {}
        self._capabilities: dict[Slot, Capabilities] = {}
        self._announced: dict[Slot, dict[str, Any]] = {}
        self._asking: set[Slot] = set()

    async def record(self, slot: Slot, task: ServerTask) -> None:
        tools, capabilities = task.tools, task.capabilities
        # By identity: the task replaces its list when a tool changes, and comparing 500 schemas costs more.
        if tools is not None and tools is not self._tools.get(slot):
            await _try(slot, orm.record_tools(slot.server_id, tools))
            self._tools[slot] = tools
        if capabilities is not None and capabilities != self._capabilities.get(slot):
            await _try(slot, orm.record_capabilities(slot.server_id, capabilities))
            self._capabilities[slot] = capabilities
        if task.announced is not None and task.announced != self._announced.get(slot):
            await _try(slot, orm.record_announced(slot.server_id, task.announced))
            self._announced[slot] = task.announced

    async def record_asking(self, slot: Slot, task: ServerTask) -> None:
        """Remembers that a server was seen to ask its client back."""
        if task.has_asked_back and slot not in self._asking:
            await _try(slot, orm.record_asked_back(slot.server_id))
            self._asking.add(slot)

    def forget(self, slot: Slot) -> None:
        """Forgets what was recorded: the next owner of the slot, perhaps this worker, records it anew."""
        self._tools.pop(slot, None)
        self._capabilities.pop(slot, None)
        self._announced.pop(slot, None)
        self._asking.discard(slot)


async def _try(slot: Slot, recording: Awaitable[None]) -> None:
    try:
        await recording
    except DATABASE_ERRORS:
        raise
    # The boundary between one server's definitions and all others: its defect must not stop the publisher.
    except Exception:
        log.exception("What MCP server %s offers could not be recorded.", slot)
