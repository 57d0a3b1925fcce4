"""Calls in flight, and the routes that they took: a frozen worker never answers them.

When the change feed reports changed instances, calls to a slot that serves under another fence by now end.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from connector.client import routes
from connector.client.routes import Route
from connector.errors import CallFailed
from core import feed
from core.message import Message

Answer = asyncio.Future[bytes | bytearray]
_in_flight: dict[Answer, Route] = {}
_checks: set[asyncio.Task[None]] = set()


@contextmanager
def tracked(answer: Answer, route: Route) -> Iterator[None]:
    """Inside the block the answer fails with CallFailed `session_lost` once the slot has another fence."""
    _in_flight[answer] = route
    try:
        yield
    finally:
        del _in_flight[answer]


def _check_after_change() -> None:
    if _in_flight:
        task = asyncio.get_running_loop().create_task(_end_moved())
        # The event loop holds tasks by weak references only.
        _checks.add(task)
        task.add_done_callback(_checks.discard)


async def _end_moved() -> None:
    for answer, route in list(_in_flight.items()):
        found = await routes.find(route.server_id)
        has_moved = isinstance(found, tuple) and any(_replaces(other, route) for other in found)
        if has_moved and not answer.done():  # it may have come during the await
            message = Message("The server moved to another worker during the call.")
            answer.set_exception(CallFailed("session_lost", message))


def _replaces(other: Route, route: Route) -> bool:
    return other.slot == route.slot and other.fence != route.fence


feed.subscribe(["connector_instance"], _check_after_change)
