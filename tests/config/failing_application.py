"""A web process whose lifespan fails: `python -m tests.config.failing_application --port 8000`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config import asgi, web  # asgi sets Django up, which the next import needs

from assistants.openai_api import detached  # isort: skip


@asynccontextmanager
async def fails() -> AsyncIterator[None]:
    raise RuntimeError("the disk is full")
    yield


detached.lifespan = fails

if __name__ == "__main__":
    assert asgi.application
    web.main(sys.argv[1:])
