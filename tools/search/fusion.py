"""From what the search statement measured to ranked hits, and why each is one. Pure.

A request is searched as several texts: the whole of it, its clauses, and what it implies (see `queries`). How
well a function answers a text is its likeness by vectors plus its likeness by words. It is scored by how well
it answers the whole and the one part that it answers best.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

PART_WEIGHT = 0.7
"""Of the best answered part, beside the whole, which has 1."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """In the order of the texts, the whole first:

    `dense`: cosine similarity; None where the function has no vector of the embedder.
    `words`: inner product with the weighted vector of the text (see `bm25.weight`).
    `boost`: from use, at most .05.
    """

    function_id: int
    dense: Sequence[float] | None
    words: Sequence[float]
    boost: float = 0.0


@dataclass(frozen=True, slots=True)
class Why:
    """The parts of a score: they add up to it."""

    dense: float
    words: float
    boost: float


@dataclass(frozen=True, slots=True)
class Ranked:
    function_id: int
    score: float
    why: Why


def ranked(candidates: Sequence[Candidate]) -> list[Ranked]:
    """Best first; of equals the older function first. Candidates that nothing speaks for are left out.

    A function without a vector counts as if it were as like to each text as the mean of the candidates.
    """
    usual = _usual(candidates)
    hits = [_hit(candidate, candidate.dense or usual) for candidate in candidates]
    return sorted((hit for hit in hits if hit.score > 0), key=lambda hit: (-hit.score, hit.function_id))


def _usual(candidates: Sequence[Candidate]) -> list[float]:
    known = [candidate.dense for candidate in candidates if candidate.dense is not None]
    if known:
        return [fmean(column) for column in zip(*known, strict=True)]
    return [0.0] * max((len(candidate.words) for candidate in candidates), default=0)


def _hit(candidate: Candidate, dense: Sequence[float]) -> Ranked:
    best = max(range(1, len(dense)), key=lambda part: dense[part] + candidate.words[part], default=None)
    why = Why(_mixed(dense, best), _mixed(candidate.words, best), candidate.boost)
    return Ranked(candidate.function_id, why.dense + why.words + why.boost, why)


def _mixed(likeness: Sequence[float], part: int | None) -> float:
    if part is None:
        return likeness[0]
    return (likeness[0] + PART_WEIGHT * likeness[part]) / (1 + PART_WEIGHT)
