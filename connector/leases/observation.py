"""Observations: what the owner of a server knows of it, as published on the Instance row."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from connector.states import Phase, transition


class Slot(NamedTuple):
    """One copy of a server. Its text marks the copy's processes.

    A tuple and no dataclass: it is a key everywhere, and tuples hash in C.
    """

    server_id: int
    number: int

    def __str__(self) -> str:
        return f"{self.server_id}.{self.number}"


@dataclass(frozen=True, slots=True)
class Observation:
    """Times are by `host.clock`. `error` has the shape that the management API shows."""

    phase: Phase
    generation: int
    pid: int | None = None
    protocol_version: str = ""
    restarts: int = 0
    started: float | None = None
    checked: float | None = None
    healthy: float | None = None
    last_exit: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    stderr_tail: str = ""

    def then(self, phase: Phase, **changes: Any) -> Self:
        """Returns the next observation. Raises IllegalTransition."""
        return replace(self, phase=transition(self.phase, phase), **changes)

    def confirms(self, before: Self) -> bool:
        """Whether only the times of the health checks differ."""
        return replace(before, checked=self.checked, healthy=self.healthy) == self
