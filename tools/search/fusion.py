"""Fusion: ranks candidates by the sum of dense (vectors) and lexical (BM25) similarity, with reasons. Pure.

A request is searched as several texts: the whole of it, its clauses, and what it implies (see `queries`). A
tool is scored by its similarity to the whole and to the one other text that it fits best. A sum and not ranks
or scores scaled to the best hit: docs/decisions/0011.

Similarities are inner products: that to a sum of texts is the sum of those to each. So the whole and a part
are added up to a pair before anything is measured, and a tool is measured once for each pair.
"""

from collections.abc import Mapping, Sequence
from operator import add
from statistics import fmean
from typing import NamedTuple

PART_WEIGHT = 0.7
"""The weight of the best fitting part; the whole has 1. Measured: docs/decisions/0019."""

# Divided, so that scores of requests with and without parts are on one scale.
_WHOLE, _PART = 1 / (1 + PART_WEIGHT), PART_WEIGHT / (1 + PART_WEIGHT)


class Candidate(NamedTuple):
    """A tool's measures, one for each pair, or one for the whole where there are no parts.

    `dense`: cosine similarities; None if the tool has no vector of the embedder.
    `lexical`: inner products with the weighted terms of the texts (see `bm25.weight`).
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


def paired_vectors(vectors: Sequence[Sequence[float]]) -> Sequence[Sequence[float]]:
    """Returns the vectors of the pairs, from those of the texts, the whole first."""
    whole, parts = vectors[:1], vectors[1:]
    weighted = [_WHOLE * number for number in whole[0]] if parts else []
    return [_added(weighted, part) for part in parts] or whole


def paired_terms(texts: Sequence[Mapping[int, float]]) -> Sequence[Mapping[int, float]]:
    """Returns the weights of the terms of the pairs, from those of the texts, the whole first."""
    whole, *parts = texts
    united = [{**whole, **part}.keys() for part in parts]
    weights = [
        _added([_WHOLE * whole.get(term, 0) for term in terms], [part.get(term, 0) for term in terms])
        for part, terms in zip(parts, united, strict=True)
    ]
    return [dict(zip(*pair, strict=True)) for pair in zip(united, weights, strict=True)] or [whole]


def rank(candidates: Sequence[Candidate]) -> list[Ranked]:
    """Returns the candidates with a positive score, the best first; of equals the older tool first.

    A tool without a vector gets the mean dense similarity of the candidates: to be not embedded yet is
    neither for nor against it.
    """
    has_all = all(candidate.dense is not None for candidate in candidates)
    mean = () if has_all else _mean_dense(candidates)
    hits = [_score(candidate, candidate.dense or mean) for candidate in candidates]
    return sorted((hit for hit in hits if hit.score > 0), key=lambda hit: (-hit.score, hit.function_id))


def _mean_dense(candidates: Sequence[Candidate]) -> list[float]:
    known = [candidate.dense for candidate in candidates if candidate.dense is not None]
    if known:
        return [fmean(column) for column in zip(*known, strict=True)]
    return [0.0] * max((len(candidate.lexical) for candidate in candidates), default=0)


def _score(candidate: Candidate, dense: Sequence[float]) -> Ranked:
    # The best pair by both similarities together, so that both parts of the score speak of one text.
    pairs = [*map(add, dense, candidate.lexical)]
    best = pairs.index(max(pairs))
    why = Why(dense[best], candidate.lexical[best], candidate.boost)
    return Ranked(candidate.function_id, pairs[best] + candidate.boost, why)


def _added(weighted: Sequence[float], part: Sequence[float]) -> list[float]:
    return [one + _PART * other for one, other in zip(weighted, part, strict=True)]
