"""Calls in flight, and the routes that they took: a frozen worker never answers them.

When the change feed reports changed instances, calls to a slot that serves under another fence by now end.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector.client import routes
from connector.client.routes import Route
from connector.errors import CallFailed
from core import feed
from core.message import Message

_in_flight: dict[asyncio.Timeout, Route] = {}
_checks: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def tracked(route: Route) -> AsyncIterator[None]:
    """Ends the block with CallFailed `session_lost` as soon as the slot serves calls under another fence."""
    # A time-out without a time: to reschedule it is the way to end the block from another task.
    timeout = asyncio.timeout(None)
    try:
        async with timeout:
            _in_flight[timeout] = route
            yield
    except TimeoutError as error:
        if not timeout.expired():  # somebody else's, raised inside the block
            raise
        message = Message("The server moved to another worker during the call.")
        raise CallFailed("session_lost", message) from error
    finally:
        _in_flight.pop(timeout, None)


def _check_after_change() -> None:
    if _in_flight:
        task = asyncio.get_running_loop().create_task(_end_moved())
        # The event loop holds tasks by weak references only.
        _checks.add(task)
        task.add_done_callback(_checks.discard)


async def _end_moved() -> None:
    for timeout, route in list(_in_flight.items()):
        found = await routes.find(route.server_id)
        has_moved = isinstance(found, tuple) and any(_replaces(other, route) for other in found)
        if has_moved and timeout in _in_flight:  # it may have ended during the await
            timeout.reschedule(asyncio.get_running_loop().time())


def _replaces(other: Route, route: Route) -> bool:
    return other.slot == route.slot and other.fence != route.fence


feed.subscribe(["connector_instance"], _check_after_change)
