"""What a key may use: requests and tokens a minute, requests at once, tokens a month.

A door calls `admit` before it reads a request, runs it in a `place`, and tells `spent` what it used. They are
those of this process's Limiter, which says what they raise.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from django.conf import settings

from apikeys import last_used
from apikeys.limits import budget
from apikeys.limits.limiter import Limiter
from apikeys.principal import Principal

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


async def admit(principal: Principal) -> dict[str, str]:
    return await _running().admit(principal)


def place(principal: Principal) -> AbstractAsyncContextManager[None]:
    return _running().place(principal)


async def spent(principal: Principal, tokens: int) -> None:
    await _running().spent(principal, tokens)


def _running() -> Limiter:
    if _limiter is None:
        raise RuntimeError("Limits need apikeys.limits.lifespan().")
    return _limiter
