"""The picture of a run: what each load costs each target, as bars on a logarithmic scale."""

import math
from collections.abc import Iterator

from bench.loading.loads import Load
from bench.loading.report import USUAL, number
from bench.loading.results import Run

COLOURS = ("#7c3aed", "#94a3b8", "#64748b", "#f59e0b")
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 860, 210, 70, 13, 14, 66
LEAST_MS, MOST_MS = 0.1, 2000.0
_TEXT = '<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{fill}">{text}</text>'
_BAR = '<rect x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="{height}" rx="2" fill="{fill}"/>'
_LINE = '<line x1="{x:.0f}" x2="{x:.0f}" y1="{top}" y2="{bottom}" stroke="#cbd5e1" stroke-dasharray="2 4"/>'
_PAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
{parts}
</svg>
"""


def drawn(run: Run) -> str:
    """Returns an SVG."""
    targets = run.targets
    rows = [row for load in run.loads if (row := _row(run, load, targets))]
    height = TOP + sum(len(costs) * BAR + GAP for _, costs in rows) + 10
    parts = [*_legend(targets), *_scale(height - 10)]
    y = float(TOP)
    for name, costs in rows:
        parts.append(_text(LEFT - 10, y + len(costs) * BAR / 2 + 4, name, anchor="end"))
        for target, cost in costs:
            parts += _bar(y, cost, COLOURS[targets.index(target) % len(COLOURS)])
            y += BAR
        y += GAP
    return _PAGE.format(width=WIDTH, height=height, parts="\n".join(parts))


def _row(run: Run, load: Load, targets: list[str]) -> tuple[str, list[tuple[str, float]]] | None:
    found = [(target, run.find(load, USUAL, target) or run.find(load, 1, target)) for target in targets]
    costs = [(target, result.cost_ms) for target, result in found if result and result.cost_ms]
    return (load.name, costs) if costs else None


def _legend(targets: list[str]) -> Iterator[str]:
    yield _text(
        12, 22, f"CPU-ms a request of all processes, {USUAL} callers (shorter is better)", fill="#0f172a"
    )
    for index, target in enumerate(targets):
        x = LEFT + index * 155
        yield _BAR.format(x=x, y=33, width=10, height=10, fill=COLOURS[index % len(COLOURS)])
        yield _text(x + 15, 42, target)


def _scale(bottom: float) -> Iterator[str]:
    for power in range(-1, 4):
        x = _x(10.0**power)
        yield _LINE.format(x=x, top=TOP - 8, bottom=bottom)
        yield _text(x, TOP - 11, f"{10.0**power:g}", anchor="middle", fill="#64748b")


def _bar(y: float, cost: float, fill: str) -> Iterator[str]:
    end = _x(cost)
    yield _BAR.format(x=LEFT, y=y + 1, width=max(1.0, end - LEFT), height=BAR - 2, fill=fill)
    yield _text(end + 5, y + BAR - 3, number(cost), fill="#475569")


def _x(cost: float) -> float:
    part = math.log(max(cost, LEAST_MS) / LEAST_MS) / math.log(MOST_MS / LEAST_MS)
    return LEFT + min(1.0, part) * (WIDTH - LEFT - RIGHT)


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = "#334155") -> str:
    return _TEXT.format(x=x, y=y, text=text, anchor=anchor, fill=fill)
