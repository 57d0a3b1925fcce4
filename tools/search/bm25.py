"""BM25 as an inner product of two sparse vectors: weights of a tool's terms, rarity of a query's. Pure.

Terms are hashed to DIMENSIONS dimensions. Robertson and Zaragoza, "The Probabilistic Relevance Framework:
BM25 and Beyond" (2009); fields are weighted before saturation, as in BM25F.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import log, sqrt
from zlib import crc32

from tools.search.text import Document, informative_title, split_name, terms

DIMENSIONS = 2**20
_SATURATION = 1.2
"""k1 of BM25: with it a term counts at most 2.2 times as much as once, however often it is repeated."""
_LENGTH_NORMALISATION = 0.75
"""b of BM25."""
_USUAL_LENGTH = 40.0
"""The weight of all terms of a usual tool.

BM25 takes the mean of the collection. A constant, so that one tool's vector never depends on another's.
"""
_SHARE = 0.045
"""The weight of a query of one term, beside a cosine: measured, docs/decisions/0019."""
_LONGEST_TEXT = 4_000
_MOST_PARAMETERS = 30


def dimension(term: str) -> int:
    """Returns the dimension of a term: 0 to DIMENSIONS - 1, the same in every process."""
    # Not hash(), which Python salts for each process.
    return crc32(term.encode()) % DIMENSIONS


def document_vector(document: Document) -> dict[int, float]:
    """Returns, by dimension, the term-frequency part of BM25: above 0 and below 2.2."""
    weights = _weights(document)
    relative_length = sum(weights.values()) / _USUAL_LENGTH
    norm = _SATURATION * (1 - _LENGTH_NORMALISATION + _LENGTH_NORMALISATION * relative_length)
    return {index: weight * (_SATURATION + 1) / (weight + norm) for index, weight in weights.items()}


def query_vector(query: str, *, frequencies: Mapping[int, int], documents: int) -> dict[int, float]:
    """Returns, by dimension, the inverse document frequency of the query's terms times their count in it.

    `frequencies`: the number of documents with a term of that dimension, 0 where it is missing.
    """
    counts = Counter(dimensions(query))
    rare = {index: rarity(min(frequencies.get(index, 0), documents), documents) for index in counts}
    return {index: count * rare[index] for index, count in counts.items()}


def weighted_terms(text: str) -> dict[int, float]:
    """Returns, by dimension, how often a text has the terms, at the scale of a cosine (see `weight`)."""
    counts = Counter(dimensions(text))
    each = weight(counts.total())
    return {index: count * each for index, count in counts.items()}


def dimensions(text: str) -> list[int]:
    """Returns the dimensions of a text's terms, in order and with repetition."""
    return [dimension(term) for term in terms(text)]


def weight(number: int) -> float:
    """Returns the factor that makes the inner product of a query of so many terms comparable with a cosine.

    The sum over more terms is larger without meaning more: it grows about as the root of their number.
    """
    return _SHARE / sqrt(max(number, 1))


def rarity(frequency: int, documents: int) -> float:
    """Returns the inverse document frequency of a term of so many of the documents."""
    # 1 + inside the logarithm (Lucene's form): without it a term of most documents would count against them.
    return log(1 + (documents - frequency + 0.5) / (frequency + 0.5))


def _weights(document: Document) -> Mapping[int, float]:
    weights: defaultdict[int, float] = defaultdict(float)
    for text, field_weight in _fields(document):
        for index in dimensions(text[:_LONGEST_TEXT]):
            weights[index] += field_weight
    return weights


def _fields(document: Document) -> Iterable[tuple[str, float]]:
    """Yields the fields with their weights: measured, docs/decisions/0019."""
    yield document.server_name, 1.5
    yield document.name, 2.0
    yield informative_title(document), 1.0
    yield document.description, 1.0
    yield " ".join(map(split_name, document.parameters[:_MOST_PARAMETERS])), 0.5
    yield document.server_description, 0.3
    yield " ".join(document.examples), 1.0
