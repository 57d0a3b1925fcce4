"""BM25 as an inner product of two sparse vectors: how much a tool says of a word, how rare the word is. Pure.

Words are hashed to DIMENSIONS places. Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
and Beyond" (2009); fields are weighted before saturation, as BM25F does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import log1p, sqrt
from zlib import crc32

from tools.search.text import Document, split_name, telling_title, terms

DIMENSIONS = 2**20
_SATURATION = 1.2
_LENGTH_NORMALISATION = 0.75
_USUAL_LENGTH = 40.0
"""The weight of all words of a usual tool. A constant, so that one tool's vector never depends on another."""
_SHARE = 0.045
"""Of a single term, beside a cosine."""
_LONGEST_TEXT = 4_000
_MOST_PARAMETERS = 30


def hashed(term: str) -> int:
    """The place of a term: 0 to DIMENSIONS - 1, the same in every process."""
    return crc32(term.encode()) % DIMENSIONS


def document_vector(document: Document) -> dict[int, float]:
    """By place: the term-frequency part of BM25, above 0 and below 2.2."""
    weights = _weights(document)
    relative_length = sum(weights.values()) / _USUAL_LENGTH
    norm = _SATURATION * (1 - _LENGTH_NORMALISATION + _LENGTH_NORMALISATION * relative_length)
    return {place: weight * (_SATURATION + 1) / (weight + norm) for place, weight in weights.items()}


def query_vector(query: str, *, frequencies: Mapping[int, int], documents: int) -> dict[int, float]:
    """By place: the inverse document frequency of the query's terms, as often as they stand in it.

    `frequencies`: how many of the scope's `documents` have a term at that place; none where it is missing.
    """
    counts = Counter(places(query))
    rarity = {place: _rarity(min(frequencies.get(place, 0), documents), documents) for place in counts}
    return {place: count * rarity[place] for place, count in counts.items()}


def places(text: str) -> list[int]:
    """Where its terms stand, in order and with repetition."""
    return [hashed(term) for term in terms(text)]


def weight(query: str) -> float:
    """By what the inner product is multiplied to stand beside a cosine: less, the more terms are summed."""
    return _SHARE / sqrt(max(len(terms(query)), 1))


def _rarity(frequency: int, documents: int) -> float:
    return log1p((documents - frequency + 0.5) / (frequency + 0.5))


def _weights(document: Document) -> Mapping[int, float]:
    weights: defaultdict[int, float] = defaultdict(float)
    for text, field_weight in _fields(document):
        for place in places(text[:_LONGEST_TEXT]):
            weights[place] += field_weight
    return weights


def _fields(document: Document) -> Iterable[tuple[str, float]]:
    yield document.server_name, 1.5
    yield document.name, 2.0
    yield telling_title(document), 1.0
    yield document.description, 1.0
    yield " ".join(map(split_name, document.parameters[:_MOST_PARAMETERS])), 0.5
    yield document.server_description, 0.3
    yield " ".join(document.examples), 1.0
