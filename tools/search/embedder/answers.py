"""What an embeddings service answers: its vectors, or that it has none."""

from collections.abc import Mapping
from typing import Any

import orjson

from tools.search.embedder.contract import EmbedderFailed, TransientFailure
from tools.search.embedder.vectors import unit


def failure(status: int, headers: Mapping[str, str]) -> EmbedderFailed:
    """For an answer other than 200. Its words are not told: they may hold our key."""
    if status == 429:
        reason = "The embedder limits the rate of requests (429)."
        return TransientFailure(reason, retry_after=_retry_after(headers))
    if status >= 500:
        return TransientFailure(f"The embedder failed ({status}).", retry_after=_retry_after(headers))
    if status in {401, 403}:
        return EmbedderFailed(f"The embedder did not accept EMBEDDING_API_KEY ({status}).")
    return EmbedderFailed(f"The embedder refused the request ({status}).")


def vectors(body: bytes, count: int) -> list[list[float]]:
    """One for each text, in the order of the texts, each of length 1. Raises EmbedderFailed."""
    try:
        entries = orjson.loads(body)["data"]
        found = {entry.get("index", place): entry["embedding"] for place, entry in enumerate(entries)}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise EmbedderFailed("The embedder answered with something else than vectors.") from None
    return _units(found, count)


def _units(found: Mapping[Any, object], count: int) -> list[list[float]]:
    if found.keys() != set(range(count)):
        raise EmbedderFailed("The embedder's vectors are not those of the texts that it was given.")
    units = [unit(found[place]) for place in range(count)]
    if len({len(vector) for vector in units}) != 1:
        raise EmbedderFailed("The embedder made vectors of several sizes.")
    return units


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds (RFC 9110, section 10.2.3); a date is not understood."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
