"""Periods cut into equal segments, and how a server did in each: for trackers. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, pairwise

from connector.status.uptime import DOWN, UP
from tools.models import Status


@dataclass(frozen=True, slots=True)
class Segment:
    """`up` and `down`: seconds in which the server served calls, and in which it should have and did not."""

    since: datetime
    until: datetime
    up: float
    down: float


def segments(
    changes: Iterable[tuple[datetime, Status]],
    *,
    since: datetime,
    until: datetime,
    count: int,
    unclaimed: Collection[datetime] = (),
) -> list[Segment]:
    """Returns `count` segments between `since` and `until`, the earliest first. See `uptime`."""
    length_s = (until - since).total_seconds() / count
    up, down = [0.0] * count, [0.0] * count
    for (begun, status), (ended, _) in pairwise(chain(changes, [(until, Status.STOPPED)])):
        spent = up if status in UP else down if status in DOWN else None
        if spent is None or begun in unclaimed:
            continue
        first, last = ((min(max(at, since), until) - since).total_seconds() for at in (begun, ended))
        number = int(first / length_s)
        while first < last and number < count:
            end = min(last, (number + 1) * length_s)
            spent[number] += max(end - first, 0.0)
            first, number = end, number + 1
    step = (until - since) / count
    return [Segment(since + n * step, since + (n + 1) * step, up[n], down[n]) for n in range(count)]
