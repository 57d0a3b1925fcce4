"""The rounds of a run's model and its tool calls on one axis of time, as rows with bars. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from assistants.models import Run, ToolCall

LEAST_WIDTH = 0.4
"""Percent of the axis: less could not be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A round of the model, or a tool call (`call`). `left` and `width` are percent of the axis.

    `started_ms` is None where nobody recorded it: such a bar is not drawn.
    """

    kind: Literal["model", "tool"]
    number: int
    started_ms: int | None
    duration_ms: int | None
    left: float = 0.0
    width: float = 0.0
    tokens: tuple[int, int] | None = None
    call: ToolCall | None = None


def bars(run: Run, calls: Sequence[ToolCall]) -> list[Bar]:
    """Returns rounds and calls by the time of their begin."""
    if run.model_rounds is None:
        numbered = enumerate(calls, 1)
        return [Bar("tool", number, None, call.duration_ms, call=call) for number, call in numbered]
    end = _end_ms(run, calls)
    return sorted([*_rounds(run, end), *_calls(run, calls, end)], key=lambda bar: bar.started_ms or 0)


def _rounds(run: Run, end: int) -> Iterator[Bar]:
    for number, each in enumerate(run.model_rounds or (), 1):
        started, took = each["started_ms"], each["duration_ms"]
        tokens = (each["prompt_tokens"], each["completion_tokens"])
        yield Bar("model", number, started, took, *_place(started, took, end), tokens=tokens)


def _calls(run: Run, calls: Sequence[ToolCall], end: int) -> Iterator[Bar]:
    for number, call in enumerate(calls, 1):
        started = _offset_ms(run, call)
        took = call.duration_ms if call.duration_ms is not None else max(0, end - started)
        yield Bar("tool", number, started, call.duration_ms, *_place(started, took, end), call=call)


def _offset_ms(run: Run, call: ToolCall) -> int:
    return max(0, (call.started_at - run.started_at) // timedelta(milliseconds=1))


def _end_ms(run: Run, calls: Sequence[ToolCall]) -> int:
    ends = [_offset_ms(run, call) + (call.duration_ms or 0) for call in calls]
    rounds = [each["started_ms"] + each["duration_ms"] for each in run.model_rounds or ()]
    return int(max([run.duration_ms or 0, *ends, *rounds, 1]))


def _place(started: int, took: int, end: int) -> tuple[float, float]:
    left = min(100 - LEAST_WIDTH, 100 * started / end)
    return round(left, 2), round(max(LEAST_WIDTH, min(100 * took / end, 100 - left)), 2)


def ticks(run: Run, calls: Sequence[ToolCall]) -> list[Any]:
    """Returns the milliseconds at the quarters of the axis; none without times."""
    if run.model_rounds is None:
        return []
    end = _end_ms(run, calls)
    return [end * quarter // 4 for quarter in range(5)]
