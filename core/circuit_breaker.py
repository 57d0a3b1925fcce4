"""A circuit breaker: a service that is down costs its callers no more than the first few attempts.

See Michael Nygard, "Release It!", "Circuit Breaker". Its states are closed (all attempts pass), open (none
does) and half-open (one passes, to see whether the service is back).
"""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager


class CircuitOpen(Exception):
    """The service is not asked now. `last` is how it failed; None where a caller gave up waiting for it."""

    def __init__(self, last: Exception | None) -> None:
        super().__init__("The service failed some moments ago and is not asked now.")
        self.last = last


class CircuitBreaker:
    """Opens after `failures` failures in a row; while it is open, one attempt passes every `rest_s` seconds.

    `trips_on` are the exceptions that count as failures. Others leave the count as it is. An attempt that its
    caller cancels after more than `slow_s` seconds counts too: the caller has given the service up.
    """

    def __init__(
        self,
        *,
        trips_on: tuple[type[Exception], ...],
        failures: int = 3,
        rest_s: float,
        slow_s: float = math.inf,
    ) -> None:
        self.failures = 0
        """In a row, until now."""
        self._trips_on = trips_on
        self._most_failures = failures
        self._rest_s = rest_s
        self._slow_s = slow_s
        self._last: Exception | None = None
        self._open_until = 0.0

    @contextmanager
    def protect(self) -> Iterator[None]:
        """Around one attempt. Raises CircuitOpen instead of making it while the breaker is open."""
        began = time.monotonic()
        self._require_closed(began)
        try:
            yield
        except self._trips_on as failure:
            self._count(failure)
            raise
        except asyncio.CancelledError:
            if time.monotonic() - began > self._slow_s:
                self._count(None)
            raise
        self.failures, self._open_until = 0, 0.0

    def _require_closed(self, now: float) -> None:
        if now < self._open_until:
            raise CircuitOpen(self._last)
        if self.failures >= self._most_failures:
            # Half-open: this attempt is the one that passes, and the others wait for its outcome.
            self._open_until = now + self._rest_s

    def _count(self, failure: Exception | None) -> None:
        self._last = failure
        self.failures += 1
        if self.failures >= self._most_failures:
            self._open_until = time.monotonic() + self._rest_s
