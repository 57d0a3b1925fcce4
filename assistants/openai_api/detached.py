"""Tasks that go on when the caller whose request began them has left."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_tasks: set[asyncio.Task[Any]] = set()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Cancels the tasks that still run when the context ends."""
    try:
        yield
    finally:
        for task in _tasks:
            task.cancel()
        await asyncio.gather(*_tasks, return_exceptions=True)


def start(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.create_task(coroutine)
    _tasks.add(task)  # asyncio itself holds tasks only weakly
    task.add_done_callback(_tasks.discard)
    return task
