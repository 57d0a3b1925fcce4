"""Waiting for a call from a view that is not a coroutine."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from asgiref.sync import async_to_sync
from django.db import connection

T = TypeVar("T")


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of `work`, which runs on the web process's event loop. Raises what it raises.

    The work is cancelled when the caller closes the connection.
    """
    # A call may take minutes: its thread must not hold one of the pool's connections meanwhile.
    connection.close()

    async def wait() -> T:  # async_to_sync takes a function, not a coroutine
        return await work

    return async_to_sync(wait)()
