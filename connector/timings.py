"""The timings of a supervisor, in seconds."""

from dataclasses import dataclass
from typing import Self

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Timings:
    """Of a lease of 15 s the owner gives up after 12 s without a renewal, its shims after 13.

    In this order: when the lease has ended another worker claims the server, which must be gone by then.

    - `heartbeat`: between two renewals. `poll`: between two rounds of the reconciler.
    - `health`: between two health checks. `health_deadline`: for the answer to one.
    - `drain`: for calls in flight when a server is stopped. `orphan_scan`: between two scans for orphans.
    - `stall`: without a turn of the event loop, until the watchdog ends the worker.
    - `canary`: without an answer from the worker's own queue, until it ends itself.
    - `cooldown`: between two rounds of rebalancing, and without a call before a server may be moved.
    """

    lease: float = 15
    heartbeat: float = 5
    poll: float = 1
    health: float = 30
    health_deadline: float = 10
    drain: float = 8
    orphan_scan: float = 30
    stall: float = 10
    canary: float = 30
    cooldown: float = 30

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            lease=settings.SUPERVISOR_LEASE_S,
            heartbeat=settings.SUPERVISOR_HEARTBEAT_S,
            poll=settings.SUPERVISOR_POLL_S,
            health=settings.SUPERVISOR_HEALTH_S,
            drain=settings.SUPERVISOR_DRAIN_S,
            stall=settings.SUPERVISOR_STALL_S,
            canary=settings.SUPERVISOR_ECHO_S,
        )

    @property
    def self_fence(self) -> float:
        """After the last renewal, until the worker kills its servers."""
        return self.lease * 12 / 15

    @property
    def shim(self) -> float:
        """After the last renewal, until the shims kill the servers of a worker that could not."""
        return self.lease * 13 / 15

    @property
    def shutdown(self) -> float:
        """From the order to end until nothing is left, the worker's process included."""
        return self.drain + 3
