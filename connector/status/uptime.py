"""How much of the time a server served calls, from the changes of its status. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, pairwise

from tools.models import Status

UP = frozenset({Status.RUNNING, Status.DEGRADED})
DOWN = frozenset({Status.STARTING, Status.ERROR})


@dataclass(frozen=True, slots=True)
class Uptime:
    """How a server did in some period.

    `outages`: how often it ceased to serve calls although it should. `seconds`: spent in each status.
    `availability`: of the time in which it should have run, the share (0 to 1) in which it served calls; None
    if it should not have run at all.
    """

    availability: float | None
    outages: int
    seconds: dict[Status, float]


def uptime(
    changes: Iterable[tuple[datetime, Status]],
    *,
    since: datetime,
    until: datetime,
    unclaimed: Collection[datetime] = (),
) -> Uptime:
    """Returns the uptime between `since` and `until`.

    `changes` are in the order of time; the time before the first one does not count, because the status then
    is not known. `unclaimed`: when it began to wait for its first worker, which is no time that it was down.
    """
    seconds, outages, waited = dict.fromkeys(Status, 0.0), 0, 0.0
    end: tuple[datetime, Status | None] = (until, None)
    for (begun, status), (ended, following) in pairwise(chain(changes, [end])):
        if status is not None:
            spent = max(0.0, (min(ended, until) - max(begun, since)).total_seconds())
            seconds[status] += spent
            waited += spent if begun in unclaimed else 0.0
            outages += status in UP and following in DOWN and since <= ended <= until
    up, down = (sum(seconds[status] for status in statuses) for statuses in (UP, DOWN))
    down -= waited
    return Uptime(up / (up + down) if up + down else None, outages, seconds)
