"""How long the supervisor waits for what. Seconds."""

from dataclasses import dataclass
from typing import Self

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Timings:
    """Of a lease of 15 s the owner gives up after 12 s without renewal, the guard after 13 s."""

    lease: float = 15
    heartbeat: float = 5
    poll: float = 1
    health: float = 30
    health_deadline: float = 10
    drain: float = 8
    sweep: float = 30
    stall: float = 10
    echo: float = 30
    quiet: float = 30

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            lease=settings.SUPERVISOR_LEASE_S,
            heartbeat=settings.SUPERVISOR_HEARTBEAT_S,
            poll=settings.SUPERVISOR_POLL_S,
            health=settings.SUPERVISOR_HEALTH_S,
            drain=settings.SUPERVISOR_DRAIN_S,
            stall=settings.SUPERVISOR_STALL_S,
            echo=settings.SUPERVISOR_ECHO_S,
        )

    @property
    def self_fence(self) -> float:
        return self.lease * 12 / 15

    @property
    def gone(self) -> float:
        """From being told to end until nothing is left, the worker's process included."""
        return self.drain + 3

    @property
    def guard(self) -> float:
        return self.lease * 13 / 15
