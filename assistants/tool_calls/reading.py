"""Resources and prompts, which are read without a call of a tool: they count as touched, as results do."""

from collections.abc import Collection
from typing import Any

from assistants import filtering
from assistants.approvals.touched import Touched
from assistants.catalogue import masking
from assistants.tool_calls.asked import Asked

FORGETFUL = "Not read: what this conversation touches cannot be remembered now. Try again later."


class NotRead(Exception):
    """The text is for the model, and for people."""


async def note(asked: Asked, labels: Collection[str]) -> None:
    """Remembers labels for the calls to come, where rules ask for them. Raises NotRead."""
    if not labels:
        return
    touched = await Touched.of(asked.asker(""))
    if touched is not None and not await touched.note(labels):
        raise NotRead(FORGETFUL)


async def released(asked: Asked, server_id: int, result: dict[str, Any]) -> dict[str, Any]:
    """Returns what may be seen, without secrets where an assistant that may call says so. Raises NotRead."""
    if not await masking.masks_secrets(server_id, asked.beside):
        return result
    masked = await filtering.read_without_secrets(result)
    if masked is None:
        raise NotRead(filtering.TOO_LONG)
    return masked
