"""Fusion: ranks candidates by the sum of dense (vectors) and lexical (BM25) similarity, with reasons. Pure.

A request is searched as several texts: the whole of it, its clauses, and what it implies (see `queries`). A
tool is scored by its similarity to the whole and to the one other text that it fits best. A sum and not ranks
or scores scaled to the best hit: docs/decisions/0011.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

PART_WEIGHT = 0.7
"""The weight of the best fitting part; the whole has 1. Measured: docs/decisions/0019."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tool's measures, one for each text, the whole first.

    `dense`: cosine similarities; None if the tool has no vector of the embedder.
    `lexical`: inner products with the weighted vectors of the texts (see `bm25.weight`).
    `boost`: by relevance feedback, at most .05.
    """

    function_id: int
    dense: Sequence[float] | None
    lexical: Sequence[float]
    boost: float = 0.0


class Why(NamedTuple):
    """The parts of a score: they add up to it."""

    dense: float
    lexical: float
    boost: float


class Ranked(NamedTuple):
    """A tool with its score and the parts of it."""

    function_id: int
    score: float
    why: Why


def rank(candidates: Sequence[Candidate]) -> list[Ranked]:
    """Returns the candidates with a positive score, the best first; of equals the older tool first.

    A tool without a vector gets the mean dense similarity of the candidates: to be not embedded yet is
    neither for nor against it.
    """
    mean = _mean_dense(candidates)
    hits = [_score(candidate, candidate.dense or mean) for candidate in candidates]
    return sorted((hit for hit in hits if hit.score > 0), key=lambda hit: (-hit.score, hit.function_id))


def _mean_dense(candidates: Sequence[Candidate]) -> list[float]:
    known = [candidate.dense for candidate in candidates if candidate.dense is not None]
    if known:
        return [fmean(column) for column in zip(*known, strict=True)]
    return [0.0] * max((len(candidate.lexical) for candidate in candidates), default=0)


def _score(candidate: Candidate, dense: Sequence[float]) -> Ranked:
    # The best part by both similarities together, so that both parts of the score speak of one text.
    best = max(range(1, len(dense)), key=lambda part: dense[part] + candidate.lexical[part], default=None)
    why = Why(_combined(dense, best), _combined(candidate.lexical, best), candidate.boost)
    return Ranked(candidate.function_id, why.dense + why.lexical + why.boost, why)


def _combined(similarities: Sequence[float], part: int | None) -> float:
    if part is None:
        return similarities[0]
    # Divided, so that scores of requests with and without parts are on one scale.
    return (similarities[0] + PART_WEIGHT * similarities[part]) / (1 + PART_WEIGHT)
