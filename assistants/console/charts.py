"""Charts as unfold draws them with Chart.js, each with a table of the same numbers for who cannot see it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

GOOD, BAD, SECOND = "--color-primary-600", "--color-red-600", "--color-primary-300"


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one part of all bars. `colour`: a variable of unfold's stylesheet."""

    name: Any
    colour: str
    values: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """`labels` are those of the horizontal axis. `shown` writes a number for people."""

    title: Any
    labels: Sequence[str]
    series: Sequence[Series]
    shown: Callable[[int], str]
    is_line: bool = False

    @property
    def data(self) -> str:
        """The chart for unfold's component, as JSON: bars are stacked."""
        datasets = [self._dataset(number, series) for number, series in enumerate(self.series)]
        return json.dumps({"labels": list(self.labels), "datasets": datasets}, default=str)

    def _dataset(self, number: int, series: Series) -> dict[str, Any]:
        colour = f"var({series.colour})"
        axes = {"displayYAxis": True, "maxTicksXLimit": 8}
        common = {"label": series.name, "data": list(series.values), **axes}
        if self.is_line:
            # With points, because a single value makes no line.
            line = {"borderColor": colour, "backgroundColor": colour, "spanGaps": True, "pointRadius": 3}
            return common | line | {"borderDash": [6, 4] if number else []}
        bar = {"backgroundColor": colour, "stack": "all", "maxBarThickness": 20, "categoryPercentage": 0.8}
        return common | bar | {"borderRadius": 2}

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def headers(self) -> list[Any]:
        return [series.name for series in self.series]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The numbers as a table: a row for each label that has any, the latest first."""
        columns = zip(*(series.values for series in self.series), strict=True)
        named = zip(self.labels, columns, strict=True)
        shown = [
            (label, ["-" if value is None else self.shown(value) for value in values])
            for label, values in named
            if any(values)
        ]
        return shown[::-1]
