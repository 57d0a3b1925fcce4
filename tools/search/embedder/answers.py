"""Interprets the answers of an embeddings service: vectors or failures."""

from collections.abc import Mapping
from typing import Any

import orjson

from tools.search.embedder.contract import EmbedderFailed, TransientFailure
from tools.search.embedder.vectors import unit


def failure(status: int, headers: Mapping[str, str]) -> EmbedderFailed:
    """Returns the failure for a status other than 200. It quotes nothing: the answer may hold our key."""
    if status == 429:
        reason = "The embedder limits the rate of requests (429)."
        return TransientFailure(reason, retry_after=_retry_after(headers))
    if status >= 500:
        return TransientFailure(f"The embedder failed ({status}).", retry_after=_retry_after(headers))
    if status in {401, 403}:
        return EmbedderFailed(f"The embedder did not accept EMBEDDING_API_KEY ({status}).")
    return EmbedderFailed(f"The embedder refused the request ({status}).")


def vectors(body: bytes, count: int) -> list[list[float]]:
    """Returns a vector of length 1 for each text, in the order of the texts. Raises EmbedderFailed."""
    # By index where there is one: services that work in parallel answer in any order.
    try:
        entries = orjson.loads(body)["data"]
        found = {entry.get("index", number): entry["embedding"] for number, entry in enumerate(entries)}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise EmbedderFailed("The embedder answered with something else than vectors.") from None
    return _units(found, count)


def _units(found: Mapping[Any, object], count: int) -> list[list[float]]:
    if found.keys() != set(range(count)):
        raise EmbedderFailed("The embedder's vectors are not those of the texts that it was given.")
    units = [unit(found[index]) for index in range(count)]
    if len({len(vector) for vector in units}) != 1:
        raise EmbedderFailed("The embedder made vectors of several sizes.")
    return units


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds (RFC 9110, section 10.2.3); None for a date, which such services do not send."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
