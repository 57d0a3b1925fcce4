"""Loading an embedder takes longer than a chat may wait: it is done before the first one comes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from assistants.models import Assistant
from core import feed
from core.database import DATABASE_ERRORS, in_thread
from tools.search.embedder import EmbedderFailed, active

log = logging.getLogger(__name__)

_news = asyncio.Event()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """The embedder is loaded as soon as there is an assistant that selects its tools."""
    global _news  # noqa: PLW0603 - an event belongs to one loop
    _news = asyncio.Event()
    _news.set()
    task = asyncio.create_task(_warm_up(), name="embedder-warming")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _tell() -> None:
    _news.set()


feed.subscribe(["assistants_assistant"], _tell)


async def _warm_up() -> None:
    is_warm = False
    while not is_warm:
        await _news.wait()
        _news.clear()
        try:
            is_warm = await _is_needed() and await _is_loaded()
        except DATABASE_ERRORS as error:  # the feed tells when the database is back
            log.warning("Whether tools are selected cannot be read: %s", type(error).__name__)


@in_thread
def _is_needed() -> bool:
    return Assistant.objects.exclude(selection=Assistant.Selection.ALL).exists()


async def _is_loaded() -> bool:
    """Also where there is none, or it fails: a search says so then."""
    if embedder := active():
        with suppress(EmbedderFailed):
            await embedder.embed_query(["ready"])
    return True
