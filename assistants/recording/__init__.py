"""Runs on the record: what was asked and what became of it, written off the request's path."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assistants import learning
from assistants.recording import journal
from assistants.recording.records import Origin
from assistants.recording.trace import recorded, writer

__all__ = ["Origin", "lifespan", "recorded"]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Runs are recorded, in this event loop, for as long as the context lasts."""
    async with journal.lifespan(), writer.running(), learning.writer.running():
        yield
