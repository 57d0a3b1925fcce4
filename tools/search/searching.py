"""The search: from a query to ranked tools."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext_noop

from tools.search import embedder, fusion, queries, sql
from tools.search.embedder import EmbedderFailed
from tools.search.fusion import Why
from tools.search.orm_sql import Texts
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
    given = [query] if isinstance(query, str) else query
    texts = list(dict.fromkeys(text for one in given for text in queries.texts(_sanitized(one))))
    if not texts or scope.server_ids == frozenset():
        return Found((), "", "")
    return await _find(await _embedded(texts[:MOST_TEXTS], embed_within_s), scope, limit)


def read_as(query: str) -> str:
    """Returns the text that the embedder reads for a query as a whole; "" for a blank query.

    Relevance feedback stores its vector: it must be the text that a later search compares with it.
    """
    texts = queries.texts(_sanitized(query))
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


async def _find(query: _Query, scope: Scope, limit: int) -> Found:
    measured = await sql.measure(query.texts, query.vectors, query.embedder, scope, limit=limit)
    ranked = fusion.rank(measured.candidates)
    hits = tuple(_hit(one, measured.texts[one.function_id]) for one in ranked)
    degraded = query.degraded
    if measured.missing:
        missing = f"{measured.missing} of the tools."
        degraded = f"Found by words alone, not embedded by {query.embedder} yet: {missing}"
    return Found(hits, query.embedder, degraded)


def _hit(ranked: fusion.Ranked, texts: Texts) -> Hit:
    return Hit(
        function_id=ranked.function_id,
        server_id=texts.server_id,
        public_name=texts.public_name,
        server=texts.server,
        server_slug=texts.server_slug,
        function=texts.function,
        description=texts.description,
        score=ranked.score,
        why=ranked.why,
    )
