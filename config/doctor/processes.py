"""The other processes: MCP workers by their heartbeats, beat and the default worker by what they did."""

import time
from collections.abc import Iterator

from redis import RedisError

from config.doctor.finding import Finding, failed, ok
from config.schedule import NOTE_S
from config.tasks import KEPT_S, last_beat_s
from connector.status.workers import nodes_alive

_LATE_S = 3 * NOTE_S
_NOTHING_NOTED = f"none has since Redis was started or emptied, or for {KEPT_S // 86_400} days"
"""Redis alone knows it, and often forgets all when it ends: of the time before nothing can be said."""
_SOON = f"The first runs some {NOTE_S} s after a start."


def check() -> Iterator[Finding]:
    nodes = nodes_alive()
    if nodes:
        yield ok("MCP workers", ", ".join(nodes))
    else:
        yield failed(
            "MCP workers", "none is alive: no MCP server runs.", "celery -A config worker -Q mcp -P threads"
        )
    try:
        yield _periodic_tasks(last_beat_s())
    except RedisError:
        return  # the broker's own check has said it


def _periodic_tasks(last_s: float | None) -> Finding:
    age_s = None if last_s is None else time.time() - last_s
    # A clock that was set back since has them run in the future.
    if age_s is not None and abs(age_s) < _LATE_S:
        return ok("Beat and worker", f"the last periodic task ran {age_s:.0f} s ago")
    last = _NOTHING_NOTED if age_s is None else f"the last one ran {age_s:.0f} s ago"
    return failed(
        "Beat and worker",
        f"periodic tasks do not run: {last}.",
        "Both have to run, with clocks that agree: celery -A config beat, and celery -A config worker"
        f" -Q default -P threads. {_SOON}",
    )
