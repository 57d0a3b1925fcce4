"""Where the run of a response in the background waits for approvals: kept in its row, for the next run.

No worker is held meanwhile. The rounds so far are a held answer, as of a chat: see `approvals.held_answers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from assistants.approvals import sentences


@dataclass(frozen=True, slots=True)
class HeldRun:
    """`numbers`: of the approvals of each run that waited, in order. `next_number`: of the next event."""

    numbers: Sequence[Sequence[int]] = ()
    open_calls: Mapping[str, int] = field(default_factory=dict)
    next_number: int = 0

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self | None:
        """Returns it from what a row keeps; None for a response that no run has begun."""
        return cls(**request["held"]) if request.get("held") else None

    @property
    def marks(self) -> list[dict[str, Any]]:
        """What stands for the rounds so far in the conversation, to be restored."""
        return [
            {"role": "assistant", "content": "\n".join(map(sentences.mark, numbers))}
            for numbers in self.numbers
        ]

    def going_on(self, awaits: Sequence[int], open_calls: Mapping[str, int], next_number: int) -> Self:
        """Returns it with one more run that waits."""
        return type(self)([*self.numbers, list(awaits)], open_calls, next_number)

    @property
    def as_json(self) -> dict[str, Any]:
        return asdict(self)
