"""Records runs and their tool calls as rows, in batches, while no request waits for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assistants.recording import outbox
from assistants.recording.outbox import connect
from assistants.recording.recorder import recorded, writer
from assistants.recording.records import Origin
from assistants.selection import feedback

__all__ = ["Origin", "connect", "lifespan", "recorded"]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Records the runs of this event loop for as long as the context lasts."""
    async with outbox.lifespan(), writer.running(), feedback.writer.running():
        yield
