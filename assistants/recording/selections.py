"""What the model was given of an assistant's tools in a run, over all of its rounds.

    {"mode": "retrieved" | "search", "embedder", "degraded", "k", "cutoff", "budget", "tokens", "tokens_all",
     "candidates": [{"public_name", "reason", "score", "chosen"}, ...]}

`tokens` is the most that definitions took at once. The candidates come by their scores, the best first, and
those that no search scored last; beyond the first 50 only the chosen ones are kept.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from assistants.events import Candidate, ToolsSelected

KEPT, MOST = 50, 256
_DIGITS = 4


def merged(earlier: ToolsSelected | None, later: ToolsSelected) -> ToolsSelected:
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


def as_json(chosen: ToolsSelected) -> dict[str, Any]:
    ordered = sorted(chosen.candidates, key=lambda each: -_score(each))
    kept = [each for place, each in enumerate(ordered) if place < KEPT or each.chosen][:MOST]
    return asdict(replace(chosen, cutoff=_rounded(chosen.cutoff), candidates=())) | {
        "candidates": [asdict(replace(each, score=_rounded(each.score))) for each in kept]
    }


def _united(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Each once: for the first of its reasons, with the best of its scores, chosen if it ever was."""
    united: dict[str, Candidate] = {}
    for each in candidates:
        known = united.setdefault(each.public_name, each)
        score = max((known, each), key=_score).score
        united[each.public_name] = replace(known, score=score, chosen=known.chosen or each.chosen)
    return tuple(united.values())


def _score(candidate: Candidate) -> float:
    return float("-inf") if candidate.score is None else candidate.score


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)
