"""A service that is down costs its callers nothing but the first few attempts."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tools.search.embedder.contract import EmbedderFailed, TooSlow, TransientFailure

FAILURES = 3
PAUSE_S = 5.0
_SLOW_S = 0.5


class Breaker:
    """After some failures in a row the next callers hear at once of the last one, until a pause is over."""

    def __init__(self) -> None:
        self._failures = 0
        self._last: EmbedderFailed = TooSlow()
        self._paused_until = 0.0

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Around one attempt. Whoever cancels a slow one has given the service up: it counts as failed."""
        began = time.monotonic()
        if began < self._paused_until:
            raise EmbedderFailed(self._last.reason)
        try:
            yield
        except TransientFailure as failure:
            self._count(failure)
            raise
        except asyncio.CancelledError:
            if time.monotonic() - began > _SLOW_S:
                self._count(TooSlow())
            raise
        self._failures = 0

    def _count(self, failure: EmbedderFailed) -> None:
        self._last = failure
        self._failures += 1
        if self._failures >= FAILURES:
            self._paused_until = time.monotonic() + PAUSE_S
