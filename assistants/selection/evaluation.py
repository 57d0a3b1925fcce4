"""Measures selections by recorded runs: what a run called is what it should have been given.

Recall@k is the mean, over runs, of the share of the called functions that were among the first k hits.
Functions that are selected whatever is searched for (pinned, forced by the caller, in use) do not count.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import fmean
from typing import Any

from django.db.models import Prefetch

from assistants.models import Assistant, Run, RunKind, ToolCall
from assistants.selection.scopes import scope_of
from tools.models import ToolFunction
from tools.search import Scope

_PRESELECTED = {"forced", "pinned", "used"}
Ranking = Sequence[str]
"""Public names, the best first."""


@dataclass(frozen=True, slots=True)
class Case:
    """A run that called functions. `selection`: None if it was given all; `request`: "" if not stored."""

    assistant: Assistant
    called: frozenset[str]
    request: str
    selection: dict[str, Any] | None

    @property
    def ranking(self) -> Ranking:
        """The ranking of the run's own searches, or by name where nothing could be searched."""
        candidates = self.selection["candidates"] if self.selection else ()
        return [
            each["public_name"]
            for each in candidates
            if each["score"] is not None or each["reason"] == "listed"
        ]


@dataclass(frozen=True, slots=True)
class Measured:
    """How many runs and calls were measured, and the recall for each k."""

    runs: int
    called: int
    recalls: dict[int, float]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Mean tokens that the definitions took in a run, and that those of all its tools would have taken."""

    given: float
    of_all: float

    @property
    def saved(self) -> float:
        """The share of tokens saved, from 0 to 1."""
        return 1 - self.given / self.of_all if self.of_all else 0.0


def cases(*, slug: str = "", since: datetime | None = None, limit: int = 1_000) -> list[Case]:
    """Returns the latest runs that called functions which still exist and were not preselected."""
    runs = Run.objects.filter(kind=RunKind.CHAT, assistant__isnull=False, server_tool_calls__gt=0)
    runs = runs.order_by("-started_at")
    if slug:
        runs = runs.filter(assistant_slug=slug)
    if since:
        runs = runs.filter(started_at__gte=since)
    succeeded = ToolCall.objects.filter(status=ToolCall.Status.OK)
    latest = list(runs.prefetch_related(Prefetch("tool_calls", succeeded))[:limit])
    assistants = Assistant.objects.prefetch_related("assistant_tools__mcp_tool")
    known = assistants.in_bulk({run.assistant_id for run in latest})
    names = _public_names(call for run in latest for call in run.tool_calls.all())
    found = (_case(run, known[run.assistant_id], names) for run in latest if run.assistant_id in known)
    return [case for case in found if case.called]


def measure(cases: Sequence[Case], ranking: Callable[[Case], Ranking], ks: Iterable[int]) -> Measured:
    """Returns the recalls of a way to rank, for each k. Raises StatisticsError without cases."""
    ranked = [(case, ranking(case)) for case in cases]
    recalls = {
        k: fmean(len(case.called.intersection(ranks[:k])) / len(case.called) for case, ranks in ranked)
        for k in ks
    }
    return Measured(len(cases), sum(len(case.called) for case in cases), recalls)


def tokens(cases: Iterable[Case]) -> Tokens:
    """Returns means over the cases that have a selection. Raises StatisticsError where none has."""
    counts = [(case.selection["tokens"], case.selection["tokens_all"]) for case in cases if case.selection]
    return Tokens(fmean(given for given, _ in counts), fmean(of_all for _, of_all in counts))


def scope(assistant: Assistant) -> Scope:
    """Returns all that the assistant offers now, without feedback, which would include the measured run."""
    return replace(scope_of(assistant), used_by=None)


def _public_names(calls: Iterable[ToolCall]) -> dict[tuple[int | None, str], str]:
    """Returns public names by server id and function name, of functions that still exist."""
    asked = {(call.mcp_tool_id, call.function) for call in calls}
    rows = ToolFunction.objects.filter(server__in={server_id for server_id, _ in asked if server_id})
    named = rows.values_list("server_id", "name", "public_name")
    return {(server, name): public for server, name, public in named if (server, name) in asked}


def _case(run: Run, assistant: Assistant, names: dict[tuple[int | None, str], str]) -> Case:
    calls = {(call.mcp_tool_id, call.function) for call in run.tool_calls.all()}
    called = frozenset(names[call] for call in calls if call in names) - set(_preselected(run.selection))
    return Case(assistant, called, run.request or "", run.selection)


def _preselected(selection: dict[str, Any] | None) -> Iterator[str]:
    for candidate in selection["candidates"] if selection else ():
        if candidate["reason"] in _PRESELECTED:
            yield candidate["public_name"]
