"""How good selections were, by one's own traffic: what a run called is what it should have been given.

A recall is the mean, over runs, of the share of the functions called that stood among the first k. Functions
that get in whatever is searched for (pinned, forced by the caller, in use) do not count.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import fmean
from typing import Any

from django.db.models import Prefetch

from assistants.models import Assistant, Run, ToolCall
from assistants.selection.scopes import scope_of
from tools.models import ToolFunction
from tools.search import Scope

_KEPT_ANYWAY = {"forced", "pinned", "used"}
Ranking = Sequence[str]
"""Public names, the best first."""


@dataclass(frozen=True, slots=True)
class Case:
    """A run that called functions. `selection`: None where it was given all; `request`: where it was kept."""

    assistant: Assistant
    called: frozenset[str]
    request: str
    selection: dict[str, Any] | None

    @property
    def ranking(self) -> Ranking:
        """As the run's own searches had it, or, for want of one, the alphabet."""
        candidates = self.selection["candidates"] if self.selection else ()
        return [
            each["public_name"]
            for each in candidates
            if each["score"] is not None or each["reason"] == "listed"
        ]


@dataclass(frozen=True, slots=True)
class Measured:
    """`recalls`: by k."""

    runs: int
    called: int
    recalls: dict[int, float]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a run's definitions took in the mean, and what those of all tools would have."""

    given: float
    of_all: float

    @property
    def saved(self) -> float:
        """The share of them, from 0 to 1."""
        return 1 - self.given / self.of_all if self.of_all else 0.0


def cases(*, slug: str = "", since: datetime | None = None, limit: int = 1_000) -> list[Case]:
    """Of the latest runs that called functions which are still there."""
    runs = Run.objects.filter(assistant__isnull=False, server_tool_calls__gt=0).order_by("-started_at")
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
    ranked = [(case, ranking(case)) for case in cases]
    recalls = {
        k: fmean(len(case.called.intersection(ranks[:k])) / len(case.called) for case, ranks in ranked)
        for k in ks
    }
    return Measured(len(cases), sum(len(case.called) for case in cases), recalls)


def tokens(cases: Iterable[Case]) -> Tokens:
    """Of cases with a selection."""
    told = [(case.selection["tokens"], case.selection["tokens_all"]) for case in cases if case.selection]
    return Tokens(fmean(given for given, _ in told), fmean(of_all for _, of_all in told))


def scope(assistant: Assistant) -> Scope:
    """All that the assistant offers now. Without its uses: the run itself would be among them."""
    return replace(scope_of(assistant), used_by=None)


def _public_names(calls: Iterable[ToolCall]) -> dict[tuple[int | None, str], str]:
    """By server and function."""
    asked = {(call.mcp_tool_id, call.function) for call in calls}
    rows = ToolFunction.objects.filter(server__in={server_id for server_id, _ in asked if server_id})
    named = rows.values_list("server_id", "name", "public_name")
    return {(server, name): public for server, name, public in named if (server, name) in asked}


def _case(run: Run, assistant: Assistant, names: dict[tuple[int | None, str], str]) -> Case:
    calls = {(call.mcp_tool_id, call.function) for call in run.tool_calls.all()}
    called = frozenset(names[call] for call in calls if call in names) - set(_kept_anyway(run.selection))
    return Case(assistant, called, run.request or "", run.selection)


def _kept_anyway(selection: dict[str, Any] | None) -> Iterator[str]:
    for candidate in selection["candidates"] if selection else ():
        if candidate["reason"] in _KEPT_ANYWAY:
            yield candidate["public_name"]
