"""The context of server tasks: what all of a supervisor's tasks share."""

from collections.abc import Callable
from dataclasses import dataclass

from connector.lifecycle.session_caps import SessionCaps
from connector.lifecycle.starting import StartSlots
from connector.process.resource_monitor import ResourceMonitor
from connector.timings import Timings


@dataclass(frozen=True, slots=True)
class TaskContext:
    """`lease_left_s` returns the seconds until the shims must kill, `starts` limits the starts at once,
    `caps` the dedicated sessions.

    `owner` is the supervisor's name. `on_change` is called when there is something to publish.
    """

    owner: str
    timings: Timings
    lease_left_s: Callable[[], float]
    starts: StartSlots
    monitor: ResourceMonitor
    caps: SessionCaps
    on_change: Callable[[], None]
