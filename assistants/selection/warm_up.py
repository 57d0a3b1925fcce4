"""Loads the embedder before the first chat needs it: loading takes longer than a selection may wait."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from assistants.models import Assistant
from core import feed
from core.background import supervised
from core.database import DATABASE_ERRORS, in_thread
from tools.search.embedder import EmbedderFailed, active

log = logging.getLogger(__name__)

_PAUSE_S = 1.0
_assistants_changed = asyncio.Event()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Loads the embedder in the background as soon as there is an assistant that selects its tools."""
    global _assistants_changed  # noqa: PLW0603 - an event belongs to one loop
    _assistants_changed = asyncio.Event()
    async with supervised("The warm-up of the embedder", _warm_up):
        yield


def _on_change() -> None:
    # Not the event's own `set`: `lifespan` replaces the event after this module has subscribed.
    _assistants_changed.set()


feed.subscribe(["assistants_assistant"], _on_change)


async def _warm_up() -> None:
    _assistants_changed.set()  # at its start there may be such an assistant already
    is_warm = False
    while not is_warm:
        await _assistants_changed.wait()
        _assistants_changed.clear()
        try:
            is_warm = await _is_needed() and await _load()
        except DATABASE_ERRORS as error:  # the feed calls its subscribers when the database is back
            log.warning("Whether tools are selected cannot be read: %s", type(error).__name__)
        await asyncio.sleep(_PAUSE_S)  # many changes are looked at together


@in_thread
def _is_needed() -> bool:
    return Assistant.objects.exclude(selection=Assistant.Selection.ALL).exists()


async def _load() -> bool:
    """Returns True even if there is no embedder or it fails: the first search tries it again and says so."""
    if embedder := active():
        with suppress(EmbedderFailed):
            await embedder.embed_query(["ready"])
    return True
