"""The lifespans of all that runs of assistants need, in web processes and in workers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from apikeys import limits
from assistants import agent, filtering, idempotency, recording
from assistants.agent import cancellation
from assistants.approvals import touched, waiting
from assistants.selection import warm_up
from connector.client import calls
from core import feed, reading, tracing
from tools.search import embedder


@asynccontextmanager
async def entered() -> AsyncIterator[None]:
    """Assistants can be run, in this event loop, for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        for lifespan in (
            tracing.lifespan(),
            feed.listening(),
            limits.lifespan(),
            calls.lifespan(),
            reading.lifespan(),
            embedder.lifespan(),
            recording.lifespan(),
            idempotency.lifespan(),
            cancellation.lifespan(),
            filtering.lifespan(),
            touched.lifespan(),
            waiting.lifespan(),
            agent.lifespan(),
            warm_up.lifespan(),
        ):
            await stack.enter_async_context(lifespan)
        yield
