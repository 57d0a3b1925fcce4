"""An answer that is made to its end, whether its caller waits for it or not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

from django.http import HttpResponse

from assistants.openai_api.http import EventStream

_going_on: set[asyncio.Task[Any]] = set()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """What still goes on when the context ends is ended with it."""
    try:
        yield
    finally:
        for task in _going_on:
            task.cancel()
        await asyncio.gather(*_going_on, return_exceptions=True)


async def detached(making: Coroutine[Any, Any, HttpResponse | EventStream]) -> HttpResponse | EventStream:
    """Cancelling this, or closing the stream that it gives, does not end what makes the answer."""
    response = await asyncio.shield(_kept(asyncio.create_task(making)))
    return EventStream(_read(response.events)) if isinstance(response, EventStream) else response


def _kept(task: asyncio.Task[Any]) -> asyncio.Task[Any]:
    """asyncio itself holds tasks only weakly."""
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    return task


def _read(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
    task = _kept(asyncio.create_task(_write(events, pieces)))
    return _pieces(pieces, task)


async def _write(events: AsyncGenerator[bytes, None], pieces: asyncio.Queue[bytes | None]) -> None:
    try:
        async with aclosing(events):
            async for piece in events:
                pieces.put_nowait(piece)
    finally:
        pieces.put_nowait(None)


async def _pieces(
    pieces: asyncio.Queue[bytes | None], task: asyncio.Task[None]
) -> AsyncGenerator[bytes, None]:
    while (piece := await pieces.get()) is not None:
        yield piece
    await task
