"""Measured values, and how they are printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


class NotMeasured(Exception):
    """The benchmark lacks something that it needs, or is not permitted here."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal` is an upper limit for the median, in the same `unit`; None if there is no goal.

    With `is_p95`, 95 of 100 values are within what is measured, instead of 50.
    """

    what: str
    values: Sequence[float]
    unit: str = "s"
    goal: float | None = None
    is_p95: bool = False

    @property
    def measured(self) -> float:
        if self.is_p95 and len(self.values) > 1:
            return statistics.quantiles(self.values, n=20, method="inclusive")[-1]
        return statistics.median(self.values)

    def __str__(self) -> str:
        measured, worst = self.measured, max(self.values)
        spread = f", at most {worst:.3g}" if len(self.values) > 1 else ""
        goal = f" (goal {self.goal:g}: {'met' if measured <= self.goal else 'MISSED'})" if self.goal else ""
        return f"{self.what}: {measured:.3g} {self.unit}{spread}, n={len(self.values)}{goal}"
