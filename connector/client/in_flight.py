"""Calls under way and the routes they took: a slot's old owner may be frozen, and never answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector.client import routes
from connector.client.routes import Route
from connector.errors import CallFailed
from core import feed

_flights: dict[asyncio.Timeout, Route] = {}
_looking: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def following(route: Route) -> AsyncIterator[None]:
    """Ends the block with CallFailed as soon as the slot serves calls under another fence."""
    patience = asyncio.timeout(None)
    try:
        async with patience:
            _flights[patience] = route
            yield
    except TimeoutError as error:
        if not patience.expired():
            raise
        message = "The server moved to another worker during the call."
        raise CallFailed("session_lost", message) from error
    finally:
        _flights.pop(patience, None)


def _look() -> None:
    if _flights:
        task = asyncio.get_running_loop().create_task(_end_those_left_behind())
        _looking.add(task)
        task.add_done_callback(_looking.discard)


async def _end_those_left_behind() -> None:
    for patience, route in list(_flights.items()):
        found = await routes.find(route.server_id)
        moved = isinstance(found, tuple) and any(_replaces(other, route) for other in found)
        if moved and patience in _flights:
            patience.reschedule(asyncio.get_running_loop().time())


def _replaces(other: Route, route: Route) -> bool:
    return other.slot == route.slot and other.fence != route.fence


feed.subscribe(["connector_instance"], _look)
