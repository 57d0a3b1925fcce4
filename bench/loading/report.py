"""A run for people: the lines of the terminal, and the tables of docs/performance.md."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure
from bench.loading import machine
from bench.loading.floors import NO_GATEWAY
from bench.loading.loads import Load
from bench.loading.results import OURS, Result, Run

USUAL = 16
BEGIN, END = "<!-- python -m bench load -->", "<!-- /python -m bench load -->"
HEAD = (
    f"{'load':28}{'callers':>8}  {'target':20}{'a second':>9}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'first':>9}"
    f"{'CPU-ms':>9}  of them; errors"
)


def line(result: Result) -> str:
    sample, cost = result.sample, result.cost_ms
    waits = "".join(f"{sample.wait_ms(percent):9.1f}" for percent in (50, 95, 99))
    errors = f"  {len(sample.errors)} ERRORS: {sample.errors[0][:200]}" if sample.errors else ""
    return (
        f"{result.load.name:28}{result.callers:8}  {result.target:20}{sample.rate:9.1f}{waits}"
        f"{sample.first_ms(50):9.1f}{number(cost):>9}  {_parts(result)}{errors}"
    )


def figures(run: Run) -> Iterator[Figure]:
    """Yields what has a goal."""
    for load in run.loads:
        usual, alone = run.find(load, USUAL, OURS), run.find(load, 1, OURS)
        if usual and load.must:
            yield Figure(f"{load.name}, {USUAL} callers", [usual.cost_ms or 0.0], "CPU-ms", load.must)
            if load.is_streamed and load.times > 1000:
                chunk = (usual.cost_ms or 0.0) / load.times
                yield Figure(f"{load.name}, for each", [chunk], "CPU-ms", load.must / load.times)
        if alone and load.wait_ms:
            yield Figure(f"{load.name}, one caller, p95", [alone.sample.wait_ms(95)], "ms", load.wait_ms)
        upstream = run.find(load, 1, NO_GATEWAY)
        if alone and upstream and load.over_upstream_ms:
            added = alone.sample.wait_ms(50) - upstream.sample.wait_ms(50)
            yield Figure(f"{load.name}, one caller, over the upstream", [added], "ms", load.over_upstream_ms)
    wrong = sum(len(each.sample.errors) for each in run.results if each.target == OURS)
    asked = sum(each.sample.requests for each in run.results if each.target == OURS)
    yield Figure(f"errors of {asked:,} requests", [wrong], "")


def as_json(run: Run) -> str:
    measured = [
        {
            "load": each.load.key,
            "callers": each.callers,
            "target": each.target,
            "requests": each.sample.requests,
            "a_second": each.sample.rate,
            "wait_ms": {f"p{percent}": each.sample.wait_ms(percent) for percent in (50, 95, 99)},
            "first_ms": {f"p{percent}": each.sample.first_ms(percent) for percent in (50, 95, 99)},
            "cpu_ms": each.sample.cost_ms,
            "errors": len(each.sample.errors),
            "first_error": each.sample.errors[0] if each.sample.errors else None,
        }
        for each in run.results
    ]
    rest = {name: value for name, value in asdict(run).items() if name != "results"}
    return json.dumps({**rest, "results": measured}, indent=1).replace("NaN", "null") + "\n"


def rewrite(page: Path, text: str) -> None:
    """Puts a text between the two markers of a page. Raises ValueError if it lacks them."""
    before, begun, rest = page.read_text().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"{page} has no lines {BEGIN} and {END} to write between.")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def markdown(run: Run) -> str:
    day = datetime.now(UTC).date().isoformat()
    parts = [
        f"`{run.command}`, {day}, {run.seconds / 60:.0f} minutes. {machine.sentence(run.machine)}.",
        f"CPU-ms a request of all processes, {USUAL} callers:",
        _costs(run),
        "![CPU-ms a request](images/performance.svg)",
        "What callers get: right answers a second, and how long they wait, in ms.",
        _waits(run),
        "Memory in MB (PSS), before the first load and after all chats and calls:",
        _memory(run),
    ]
    return "\n\n".join(parts)


def _costs(run: Run) -> str:
    ours, *others = run.targets
    rows = [["", f"**{ours}**", "of them", "must", "aim", *others]]
    for load in run.loads:
        if (result := run.find(load, USUAL, ours)) is None:
            continue
        costs = [_cost(run, load, other) for other in others]
        cost = f"**{number(result.cost_ms)}**"
        rows.append([load.name, cost, _parts(result), number(load.must), number(load.aim), *costs])
    return _table(rows)


def _cost(run: Run, load: Load, target: str) -> str:
    if usual := run.find(load, USUAL, target):
        return number(usual.cost_ms) + _note(usual)
    alone = run.find(load, 1, target)
    return f"{number(alone.cost_ms)} (one caller)" if alone else "-"


def _waits(run: Run) -> str:
    others = [target for target in run.targets if target != OURS]
    head = ["", "callers", "a second", "p50", "p95", "p99", "first bytes p50", "errors"]
    rows = [[*head, *(f"{other}: a second, p50" for other in others)]]
    for result in (each for each in run.results if each.target == OURS):
        sample = result.sample
        waits = [number(sample.wait_ms(percent)) for percent in (50, 95, 99)]
        first = number(sample.first_ms(50)) if result.load.is_streamed else ""
        row = [result.load.name, str(result.callers), number(sample.rate), *waits, first]
        theirs = [_wait(run.find(result.load, result.callers, other)) for other in others]
        rows.append([*row, str(len(sample.errors)), *theirs])
    return _table(rows)


def _wait(result: Result | None) -> str:
    if result is None:
        return "-"
    return f"{number(result.sample.rate)}, {number(result.sample.wait_ms(50))}{_note(result)}"


def _memory(run: Run) -> str:
    rows = [["", "before", "after", "of them after"]]
    for target in run.targets:
        before, after = run.memory[target], run.memory_after.get(target, {})
        parts = ", ".join(f"{kind} {size:.0f}" for kind, size in after.items())
        rows.append([target, f"{sum(before.values()):.0f}", f"{sum(after.values()):.0f}", parts])
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _parts(result: Result) -> str:
    costs = result.sample.cost_ms
    return ", ".join(f"{kind} {number(cost)}" for kind, cost in costs.items()) if len(costs) > 1 else ""


def _note(result: Result) -> str:
    return f" ({len(result.sample.errors)} errors)" if result.sample.errors else ""


def number(value: float | None) -> str:
    """Returns it with as many digits as say something; empty for None."""
    if value is None:
        return ""
    if value != value:  # noqa: PLR0124 - NaN
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
