"""Does what the first chat of a web process would do, before the process is ready: no caller waits for it.

The first statements start threads and open connections to the database, the first calls connect to Redis and
to workers, the first run makes what all runs share. To connect to an LLM service would be a request that
nobody has asked for: its connection is the first chat's.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from apikeys import limits
from assistants import agent, catalogue, recording, rules
from connector.client import workers

log = logging.getLogger(__name__)

WITHIN_S = 0.1
"""For so long the start waits; what takes longer goes on while the process is ready."""


async def _read() -> None:
    # At the same time, so that there are two threads with a connection each.
    await asyncio.gather(catalogue.load_one(), rules.of(None, 0))


_PARTS: Mapping[str, Callable[[], Awaitable[None]]] = {
    "the database": _read,
    "Redis, for limits": lambda: limits.current().connect(),
    "Redis, for ended runs": recording.connect,
    "workers": workers.connect_all,
    "runs": agent.warm_up,
}


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """It never fails: what is away now is connected to once it is needed."""
    tasks = [asyncio.create_task(_warm_up(name)) for name in _PARTS]
    try:
        await asyncio.wait(tasks, timeout=WITHIN_S)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _warm_up(name: str) -> None:
    try:
        await _PARTS[name]()
    except Exception:  # a boundary: the process starts without it
        log.info("The process starts without a warm-up of %s.", name, exc_info=True)
