"""Search: from a question to ranked functions."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.database import in_thread
from tools.models import ToolFunction
from tools.search import embedder, fusion, queries, sql
from tools.search.embedder import EmbedderFailed
from tools.search.fusion import Why
from tools.search.scope import Scope

MOST_CHARACTERS = 8_000
MOST_TEXTS = 12
NO_EMBEDDER = "There is no embedder: EMBEDDING_BASE_URL names none, and the extra minilm is not installed."
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A function, and why it is one. `server` is the server's name, `description` what models are told."""

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
    """Best first. `embedder`: whose vectors counted, "" for none. `degraded`: why words alone did, or ""."""

    hits: tuple[Hit, ...]
    embedder: str
    degraded: str


@dataclass(frozen=True, slots=True)
class _Question:
    texts: Sequence[str]
    vectors: Sequence[Sequence[float]]
    embedder: str
    degraded: str


async def search(
    query: str | Sequence[str], scope: Scope, *, limit: int, embed_within_s: float | None = None
) -> Found:
    """The functions in `scope` that answer the query; of several queries, any of them.

    Without vectors, words alone count, and `degraded` says why; so after `embed_within_s`, for callers with
    less patience than the embedder has. Raises django.db.Error, and nothing else.
    """
    asked = [query] if isinstance(query, str) else query
    texts = list(dict.fromkeys(text for one in asked for text in queries.texts(_readable(one))))
    if not texts or scope.server_ids == frozenset():
        return Found((), "", "")
    return await _find(await _asked(texts[:MOST_TEXTS], embed_within_s), scope, limit)


def read_as(query: str) -> str:
    """What the embedder reads of a query as a whole: `tools.uses` keeps its vector. "" where it is blank."""
    texts = queries.texts(_readable(query))
    return queries.embedded(texts[0]) if texts else ""


def _readable(query: str) -> str:
    """Bounded, and without what PostgreSQL cannot be given."""
    return "\n".join(_CONTROL.sub(" ", line) for line in query[:MOST_CHARACTERS].splitlines())


async def _asked(texts: Sequence[str], within_s: float | None) -> _Question:
    active = embedder.active()
    if active is None:
        return _Question(texts, (), "", NO_EMBEDDER)
    try:
        async with asyncio.timeout(within_s):
            return _Question(
                texts, await active.embed_query([queries.embedded(text) for text in texts]), active.name, ""
            )
    except EmbedderFailed as failure:
        return _Question(texts, (), "", failure.reason)
    except TimeoutError:
        return _Question(texts, (), "", f"The embedder did not answer within {within_s:g} s.")


@in_thread
def _find(question: _Question, scope: Scope, limit: int) -> Found:
    candidates, missing = sql.measure(question.texts, question.vectors, question.embedder, scope, limit=limit)
    hits = _hits(fusion.ranked(candidates)[:limit])
    degraded = question.degraded
    if question.vectors and missing:
        degraded = f"Found by words alone, not embedded by {question.embedder} yet: {missing} of the tools."
    return Found(hits, question.embedder, degraded)


def _hits(ranked: Sequence[fusion.Ranked]) -> tuple[Hit, ...]:
    """What has gone since it was measured is left out."""
    rows = ToolFunction.objects.present().filter(server__deleted_at=None).select_related("server").order_by()
    shown = rows.only("public_name", "name", "description", "overrides", "server__name", "server__slug")
    found = shown.in_bulk([one.function_id for one in ranked])
    return tuple(_hit(found[one.function_id], one) for one in ranked if one.function_id in found)


def _hit(row: ToolFunction, ranked: fusion.Ranked) -> Hit:
    return Hit(
        function_id=row.pk,
        server_id=row.server_id,
        public_name=row.public_name,
        server=row.server.name,
        server_slug=row.server.slug,
        function=row.name,
        description=row.overrides.get("description") or row.description,
        score=ranked.score,
        why=ranked.why,
    )
