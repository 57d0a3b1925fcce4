"""The limits of an API key: requests and tokens a minute, requests at once, and tokens a month.

An endpoint asks `current()`, the Limiter of this process: it answers a request that is `admitted`, runs it
under a `permit`, and charges the tokens that it used to that.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings

from apikeys import last_used
from apikeys.limits import budget
from apikeys.limits.limiter import Limiter, Permit

__all__ = ["Permit", "current", "lifespan"]

_limiter: Limiter | None = None


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Keys can be limited, in this event loop, for as long as the context lasts."""
    global _limiter  # noqa: PLW0603 - one pool of connections a process
    limiter = Limiter(settings.REDIS_URL)
    async with budget.writer.running(), last_used.writer.running(), limiter.running():
        _limiter = limiter
        try:
            yield
        finally:
            _limiter = None


def current() -> Limiter:
    """The Limiter of this process. Raises RuntimeError outside of `lifespan`."""
    if _limiter is None:
        raise RuntimeError("Limits need apikeys.limits.lifespan().")
    return _limiter
