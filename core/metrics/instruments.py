"""Instruments: what counts and measures. With METRICS off they do nothing.

Values of labels come from small sets that we know: no key, no user, no text of a caller. Names that people
give, such as those of servers, pass `bounded`.
"""

import logging
from collections.abc import Sequence
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from core.metrics import files, pending

log = logging.getLogger(__name__)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds of durations that callers notice."""
SHORT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0)
"""Bounds of durations inside a host."""
MOST_NAMES = 200
OTHER = "other"

declared: list[str] = []
"""The names of all instruments, as Prometheus knows them: the tests and the documentation compare them."""
_names: set[str] = set()


def bounded(name: str) -> str:
    """Returns the name, or OTHER for the names that come after MOST_NAMES others."""
    if name not in _names:
        if len(_names) >= MOST_NAMES:
            return OTHER
        _names.add(name)
    return name


class Count:
    """How often something happened, or how much of it."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        counter = Counter(name, meaning, labels)
        self._write = cache(lambda *values: counter.labels(*values).inc)
        declared.append(f"{name}_total")

    def add(self, *labels: str, amount: float = 1.0) -> None:
        if files.are_writable():
            pending.add(self._write(*labels), amount)


class Duration:
    """How long something took, in seconds."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str], bounds: Sequence[float] = SECONDS
    ) -> None:
        histogram = Histogram(name, meaning, labels, buckets=bounds)
        self._labelled = cache(histogram.labels)
        declared.append(name)

    def observe(self, seconds: float, *labels: str) -> None:
        if files.are_writable():
            pending.observe(self._labelled(*labels), seconds)


class Level:
    """How much there is now, added up over the processes that run."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._labelled = cache(Gauge(name, meaning, labels, multiprocess_mode="livesum").labels)
        declared.append(name)

    def set(self, value: float, *labels: str) -> None:
        if files.are_writable():
            self._labelled(*labels).set(value)
