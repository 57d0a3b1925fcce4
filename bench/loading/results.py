"""What a run has measured."""

from dataclasses import dataclass, field

from bench.loading.generator import Sample
from bench.loading.loads import Load

OURS = "MCP Connector"


@dataclass(frozen=True, slots=True)
class Result:
    load: Load
    callers: int
    target: str
    sample: Sample

    @property
    def cost_ms(self) -> float | None:
        """CPU-ms of all processes of the target a request; None of one that is nobody's cost."""
        return sum(self.sample.cost_ms.values()) if self.sample.cost_ms else None


@dataclass(slots=True)
class Run:
    """`memory`: MB by kind of process by target, before the first load; `memory_after` chats and calls."""

    machine: dict[str, str]
    command: str
    memory: dict[str, dict[str, float]]
    memory_after: dict[str, dict[str, float]] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    def find(self, load: Load, callers: int, target: str) -> Result | None:
        wanted = (load.key, callers, target)
        found = (each for each in self.results if (each.load.key, each.callers, each.target) == wanted)
        return next(found, None)

    @property
    def loads(self) -> list[Load]:
        return list({each.load.key: each.load for each in self.results}.values())

    @property
    def targets(self) -> list[str]:
        """The names of those whose cost counts, ours first."""
        costly = dict.fromkeys(each.target for each in self.results if each.cost_ms is not None)
        return sorted(costly, key=lambda name: name != OURS)
