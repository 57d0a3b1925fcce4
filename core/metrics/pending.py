"""Numbers on their way into the files: what a process has counted is written together, four times a second.

A write changes two places of a mapped file under a lock. A chat counts a dozen numbers: one by one, between
other work, their writes took twice as long as many after each other, and equal ones need one write.

What a process had not written when it was killed is lost: a quarter of a second.
"""

import atexit
import logging
import os
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence

from prometheus_client import Histogram

log = logging.getLogger(__name__)

Write = Callable[[float], object]
EVERY_S = 0.25
MOST = 100_000
"""Numbers that may wait. Some 5,000 do under the heaviest load that was measured."""

_amounts: deque[tuple[Write, float]] = deque(maxlen=MOST)
_observations: deque[tuple[Histogram, float]] = deque(maxlen=MOST)
_some = threading.Event()
_writing = threading.Lock()


def add(write: Write, amount: float) -> None:
    """Has `write` called with this amount and others: with their sum."""
    _amounts.append((write, amount))
    if not _some.is_set():
        _some.set()


def observe(histogram: Histogram, value: float) -> None:
    _observations.append((histogram, value))
    if not _some.is_set():
        _some.set()


def flush() -> None:
    """Writes what waits."""
    with _writing:
        sums: defaultdict[Write, float] = defaultdict(float)
        while _amounts:
            write, amount = _amounts.popleft()
            sums[write] += amount
        for write, amount in sums.items():
            write(amount)
        observed: defaultdict[Histogram, list[float]] = defaultdict(list)
        while _observations:
            histogram, value = _observations.popleft()
            observed[histogram].append(value)
        for histogram, values in observed.items():
            _write_all(histogram, values)


def _write_all(histogram: Histogram, values: Sequence[float]) -> None:
    """Does what the library's `observe` does with each: a sum and a bucket, which are mapped memory."""
    buckets = Counter(bisect_left(histogram._upper_bounds, value) for value in values)  # noqa: SLF001
    histogram._sum.inc(sum(values))  # noqa: SLF001
    for place, number in buckets.items():
        histogram._buckets[place].inc(number)  # noqa: SLF001


def start() -> None:
    """Writes from now on, in a thread of this process."""
    threading.Thread(target=_write_for_ever, name="metrics-writer", daemon=True).start()
    atexit.register(flush)


def _write_for_ever() -> None:
    while True:
        _some.wait()
        time.sleep(EVERY_S)
        _some.clear()
        try:
            flush()
        except Exception:  # the thread's boundary: what comes later is to be counted
            log.exception("Numbers could not be written.")


def _forget() -> None:
    """A fork has no thread yet, and what its parent counted is its parent's."""
    global _some, _writing
    _amounts.clear()
    _observations.clear()
    _some, _writing = threading.Event(), threading.Lock()


os.register_at_fork(after_in_child=_forget)
