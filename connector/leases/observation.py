"""What the owner of a server sees of it, as it is published on the Instance row."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from connector.states import Phase, transition


class Slot(NamedTuple):
    """One copy of a server. As text it is what marks its processes. A tuple, for it is a key everywhere."""

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
        return replace(self, phase=transition(self.phase, phase), **changes)

    def confirms(self, before: Self) -> bool:
        """Whether nothing is new but when it was seen."""
        return replace(before, checked=self.checked, healthy=self.healthy) == self
