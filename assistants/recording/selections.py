"""The tools that the model was offered during a run, over all of its rounds, as JSON for the run's row.

    {"mode": "retrieved" | "search", "embedder", "degraded", "k", "cutoff", "budget", "tokens", "tokens_all",
     "candidates": [{"public_name", "reason", "score", "chosen"}, ...]}

`tokens` is the largest size of the definitions in one round. The candidates are sorted by their scores, the
best first and those that no search scored last; beyond the first 50 only the selected ones are stored.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from assistants.events import Candidate, ToolsSelected

MOST_RANKED, MOST = 50, 256
_DIGITS = 4


def merged(earlier: ToolsSelected | None, later: ToolsSelected) -> ToolsSelected:
    """Merges the selections of two rounds."""
    if earlier is None:
        return later
    cutoffs = [each.cutoff for each in (earlier, later) if each.cutoff is not None]
    return replace(
        later,
        embedder=later.embedder or earlier.embedder,
        degraded=earlier.degraded or later.degraded,
        cutoff=min(cutoffs, default=None),
        tokens=max(earlier.tokens, later.tokens),
        candidates=_united([*earlier.candidates, *later.candidates]),
    )


def as_json(selection: ToolsSelected) -> dict[str, Any]:
    ordered = sorted(selection.candidates, key=lambda each: -_score(each))
    shown = [each for position, each in enumerate(ordered) if position < MOST_RANKED or each.chosen][:MOST]
    own = {each.name: getattr(selection, each.name) for each in fields(selection)}
    candidates = [
        {"public_name": name, "reason": reason, "score": _rounded(score), "chosen": is_chosen}
        for name, reason, score, is_chosen in shown
    ]
    return own | {"cutoff": _rounded(selection.cutoff), "candidates": candidates}


def _united(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Merges candidates by name. The first reason and the best score count; chosen once is chosen."""
    united: dict[str, Candidate] = {}
    for each in candidates:
        known = united.setdefault(each.public_name, each)
        score = max((known, each), key=_score).score
        united[each.public_name] = known._replace(score=score, chosen=known.chosen or each.chosen)
    return tuple(united.values())


def _score(candidate: Candidate) -> float:
    return float("-inf") if candidate.score is None else candidate.score


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)
