"""Measured values, and how they are printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


class NotMeasured(Exception):
    """The benchmark lacks something that it needs, or is not permitted here."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal` is an upper limit for the median, in the same `unit`; None if there is no goal."""

    what: str
    values: Sequence[float]
    unit: str = "s"
    goal: float | None = None

    def __str__(self) -> str:
        median, worst = statistics.median(self.values), max(self.values)
        spread = f", at most {worst:.3g}" if len(self.values) > 1 else ""
        goal = f" (goal {self.goal:g}: {'met' if median <= self.goal else 'MISSED'})" if self.goal else ""
        return f"{self.what}: {median:.3g} {self.unit}{spread}, n={len(self.values)}{goal}"
