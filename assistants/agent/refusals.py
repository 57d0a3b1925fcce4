"""Tools that an LLM service refused, and without which a run went on: told to its caller and to staff."""

import asyncio
import logging
from collections.abc import Iterator, Mapping

import django.db

from assistants.catalogue.entries import AssistantEntry
from assistants.events import UnavailableTool
from core.database import in_thread
from tools.functions import actions

log = logging.getLogger(__name__)

_notes: set[asyncio.Task[None]] = set()
"""The event loop itself holds no task."""
_store = in_thread(actions.note_refusal)


def unavailable(assistant: AssistantEntry, refused: Mapping[str, str]) -> Iterator[UnavailableTool]:
    """Yields the refused tools. `refused`: the name of the model, by the public name of the tool."""
    for name, model in refused.items():
        server = assistant.by_name[name].server_name
        yield UnavailableTool(server, f"The model {model} refuses the definition of its tool {name}.")


def note(assistant: AssistantEntry, name: str, model: str) -> None:
    """Notes a refusal at the tool. The run does not wait for the database, and goes on without it."""
    log.warning("The model %s refuses the definition of the tool %s: it is left out.", model, name)
    function = assistant.by_name[name]
    task = asyncio.create_task(_note(function.server_id, function.name, model))
    _notes.add(task)
    task.add_done_callback(_notes.discard)


async def _note(server_id: int, name: str, model: str) -> None:
    try:
        await _store(server_id, name, model=model)
    except django.db.Error as error:
        log.warning("That a tool is refused cannot be noted: %s", type(error).__name__)
