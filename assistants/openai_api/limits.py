"""A run within the limits of its caller's key."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from apikeys import limits
from apikeys.authentication import Principal
from assistants.events import Event


async def limited(run: AsyncGenerator[Event, None], principal: Principal) -> AsyncGenerator[Event, None]:
    """The events of `run`, under one of the key's permits. Raises LimitReached before the first one."""
    async with limits.current().permit(principal), aclosing(run):
        async for event in run:
            yield event
