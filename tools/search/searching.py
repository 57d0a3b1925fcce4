"""The search: from a query to ranked tools."""

import asyncio
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import gettext_noop

from tools.search import embedder, fusion, queries, sql
from tools.search.embedder import EmbedderFailed
from tools.search.fusion import Why
from tools.search.scope import Scope

MOST_CHARACTERS = 8_000
MOST_TEXTS = 12
NO_EMBEDDER = gettext_noop(
    "There is no embedder: EMBEDDING_BASE_URL names none, and the extra minilm is not installed."
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class Hit(NamedTuple):
    """A tool that was found, and why. `server`: its server's name; `description`: as models get it."""

    function_id: int
    server_id: int
    public_name: str
    server: str
    server_slug: str
    function: str
    description: str
    score: float
    why: Why


@dataclass(frozen=True, slots=True)
class Found:
    """The hits, the best first.

    `embedder`: the embedder whose vectors counted, "" for none. `degraded`: why lexical similarity alone
    counted, for all tools or for some; "" if it did not.
    """

    hits: tuple[Hit, ...]
    embedder: str
    degraded: str


class Scored(NamedTuple):
    """A tool that was found, for whoever knows what it is."""

    public_name: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """As `Found`, with names and scores alone."""

    hits: Sequence[Scored]
    embedder: str
    degraded: str


@dataclass(frozen=True, slots=True)
class _Query:
    texts: Sequence[str]
    vectors: Sequence[Sequence[float]]
    embedder: str
    degraded: str


async def search(
    query: str | Sequence[str], scope: Scope, *, limit: int, embed_within_s: float | None = None
) -> Found:
    """Finds the tools in `scope` that fit the query, or any of several queries.

    If the embedder fails, or takes longer than `embed_within_s`, lexical similarity alone counts, and
    `degraded` says why. Raises django.db.Error, and nothing else.
    """
    texts = _texts(query, scope)
    if not texts:
        return Found((), "", "")
    asked = await _embedded(texts, embed_within_s)
    measured = await sql.measure(asked.texts, asked.vectors, asked.embedder, scope, limit=limit)
    ranked = fusion.rank(measured.candidates)
    hits = tuple(Hit(one.function_id, *measured.texts[one.function_id], one.score, one.why) for one in ranked)
    return Found(hits, asked.embedder, _degraded(asked, measured))


async def rank(
    query: str | Sequence[str],
    scope: Scope,
    *,
    limit: int,
    known: Container[str],
    embed_within_s: float | None = None,
) -> Ranking:
    """Does the same for who knows by their public names what models may be given, and finds nothing else.

    What is shown of a tool is not read: of fifty tools it takes longer than to measure a thousand.
    """
    texts = _texts(query, scope)
    if not texts:
        return Ranking((), "", "")
    asked = await _embedded(texts, embed_within_s)
    given = asked.texts, asked.vectors, asked.embedder, scope
    named = await sql.names(*given, limit=limit, known=known)
    if named is not None:
        return Ranking([Scored(*one) for one in named if one[1] > 0], asked.embedder, asked.degraded)
    measured = await sql.measure(*given, limit=limit, is_thorough=True)
    ranked = (
        (measured.texts[one.function_id].public_name, one.score) for one in fusion.rank(measured.candidates)
    )
    hits = [Scored(*one) for one in ranked if one[0] in known]
    return Ranking(hits, asked.embedder, _degraded(asked, measured))


def _texts(query: str | Sequence[str], scope: Scope) -> Sequence[str]:
    """Returns the texts to search by; none where there is nothing to search with, or in."""
    if scope.server_ids == frozenset():
        return []
    given = [query] if isinstance(query, str) else query
    return list(dict.fromkeys(text for one in given for text in _texts_of(one)))[:MOST_TEXTS]


def _texts_of(query: str) -> Sequence[str]:
    return _kept_texts(query) if len(query) <= sql.LONGEST_KEPT else queries.texts(_sanitized(query))


@lru_cache(maxsize=128)
def _kept_texts(query: str) -> Sequence[str]:
    return queries.texts(_sanitized(query))


def read_as(query: str) -> str:
    """Returns the text that the embedder reads for a query as a whole; "" for a blank query.

    Relevance feedback stores its vector: it must be the text that a later search compares with it.
    """
    texts = _texts_of(query)
    return queries.as_embedded(texts[0]) if texts else ""


def _sanitized(query: str) -> str:
    """Returns the query at a bounded length, without characters that PostgreSQL or an embedder refuses."""
    return "\n".join(_CONTROL.sub(" ", line) for line in query[:MOST_CHARACTERS].splitlines())


async def _embedded(texts: Sequence[str], within_s: float | None) -> _Query:
    active = embedder.active()
    if active is None:
        return _Query(texts, (), "", NO_EMBEDDER)
    try:
        async with asyncio.timeout(within_s):
            return _Query(
                texts,
                await active.embed_query([queries.as_embedded(text) for text in texts]),
                active.name,
                "",
            )
    except EmbedderFailed as failure:
        return _Query(texts, (), "", failure.reason)
    except TimeoutError:
        return _Query(texts, (), "", f"The embedder did not answer within {within_s:g} s.")


def _degraded(query: _Query, measured: sql.Measured) -> str:
    if not measured.missing:
        return query.degraded
    return f"Found by words alone, not embedded by {query.embedder} yet: {measured.missing} of the tools."
