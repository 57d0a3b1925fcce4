"""Validation of vectors that an embedder answers."""

import math
from collections.abc import Sequence

from tools.search.embedder.contract import EmbedderFailed

MOST_DIMENSIONS = 16_000  # of pgvector's `vector`


def unit(vector: object) -> list[float]:
    """Returns the vector scaled to length 1. Raises EmbedderFailed for anything but a finite vector."""
    # type() and not isinstance(): a bool is an int, too.
    if not isinstance(vector, list) or not all(type(value) in {float, int} for value in vector):
        raise EmbedderFailed("The embedder answered with something else than vectors.")
    if not 0 < len(vector) <= MOST_DIMENSIONS:
        raise EmbedderFailed(f"The embedder made a vector of {len(vector):,} dimensions.")
    length = _length(vector)
    if not 0 < length < math.inf:
        raise EmbedderFailed("The embedder made a vector that points nowhere: it is zero, or not finite.")
    return [value / length for value in vector]


def _length(vector: Sequence[float]) -> float:
    try:
        return math.hypot(*vector)
    except OverflowError:  # an integer beyond any float
        return math.inf
