"""The real application with a lifespan that fails: `uvicorn tests.config.failing_application:application`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.asgi import application  # noqa: F401 - it sets Django up, which the next import needs

from assistants.openai_api import detached  # isort: skip


@asynccontextmanager
async def fails() -> AsyncIterator[None]:
    raise RuntimeError("the disk is full")
    yield


detached.lifespan = fails
