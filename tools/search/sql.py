"""What a search sends to PostgreSQL, and what comes back: see `statement` for the text of it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import neg
from typing import Any, NamedTuple

from core import reading
from tools.search import bm25, frequencies, orm_sql, parameters, statement
from tools.search.fusion import Candidate, paired_terms, paired_vectors
from tools.search.orm_sql import Sql, Texts
from tools.search.parameters import SparseVector
from tools.search.scope import Scope

SPARE_CANDIDATES = 100
"""The number of candidates beyond the limit if feedback may lift some of them above others."""
SPARE_UNAPPROVED = 10
"""The number beyond the limit else: of all candidates some may be of definitions that nobody has approved."""
Vector = Sequence[float]
LONGEST_KEPT = 1_000
"""The characters of a request up to which what follows from its texts is kept, as its vectors are."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The best candidates, what is shown of each by its id, and how many tools in scope have no vector."""

    candidates: Sequence[Candidate]
    texts: Mapping[int, Texts]
    missing: int


async def measure(
    texts: Sequence[str],
    vectors: Sequence[Vector],
    embedder: str,
    scope: Scope,
    *,
    limit: int,
    is_thorough: bool = False,
) -> Measured:
    """Returns `limit` candidates at most.

    `vectors`: of the texts, by this embedder; empty to measure lexical similarity alone: nothing is missing
    then. `is_thorough`: what is cheaper is known not to do. Raises django.db.OperationalError.
    """
    query = await _query(texts, vectors, embedder, scope)
    if not is_thorough:
        rows = await reading.fetch(*_of_hits(query, scope, limit, is_thorough=False))
    if is_thorough or _needs_more(rows, limit):
        rows = await reading.fetch(*_of_hits(query, scope, limit, is_thorough=True))
    candidates = [_candidate(row, query) for row in rows]
    shown = {row[2]: Texts(*row[-len(Texts._fields) :]) for row in rows}
    return Measured(candidates, shown, rows[0][0] if rows else 0)


async def names(
    texts: Sequence[str],
    vectors: Sequence[Vector],
    embedder: str,
    scope: Scope,
    *,
    limit: int,
    known: Container[str],
) -> Sequence[tuple[str, float]] | None:
    """Returns the public names of the best, with their scores; `limit` at most, and those that are `known`.

    None where nothing less than a thorough `measure` will do. Raises django.db.OperationalError.
    """
    most = limit + SPARE_UNAPPROVED
    query = await _query(texts, vectors, embedder, scope)
    rows = await reading.fetch(*_of_names(query, scope, most))
    if not rows or rows[0][1] is None:  # a tool without a score comes first
        return None
    found = [(name, -score) for name, score in rows if name in known]
    return None if len(found) < limit and len(rows) == most else found[:limit]


def _needs_more(rows: reading.Rows, limit: int) -> bool:
    """Whether a tool has no vector, or candidates that no model may be given kept others out."""
    if not rows:
        return True
    _, has_others, *_ = rows[0]
    return any(None in row for row in rows) or (has_others and len(rows) < limit)


@dataclass(frozen=True, slots=True)
class _Query:
    """The words and vectors of its pairs of texts, and the vector of the whole: none without an embedder."""

    words: Sequence[SparseVector]
    vectors: Sequence[Vector]
    whole: Vector
    embedder: str

    @property
    def size(self) -> int:
        return len(self.whole)


async def _query(texts: Sequence[str], vectors: Sequence[Vector], embedder: str, scope: Scope) -> _Query:
    of_text = _terms if sum(map(len, texts)) <= LONGEST_KEPT else _terms.__wrapped__
    terms = of_text(tuple(texts))
    rarity = await frequencies.rarities(terms.words, scope.server_ids)
    words = [
        SparseVector(bm25.DIMENSIONS, pair, [weight * rarity[word] for word, weight in pair.items()])
        for pair in terms.pairs
    ]
    return _Query(words, paired_vectors(vectors), next(iter(vectors), ()), embedder)


class _Terms(NamedTuple):
    """The weights of the terms of each pair, by ascending dimension, and all dimensions."""

    pairs: Sequence[Mapping[int, float]]
    words: frozenset[int]


@lru_cache(maxsize=128)
def _terms(texts: Sequence[str]) -> _Terms:
    pairs = paired_terms([bm25.weighted_terms(text) for text in texts])
    return _Terms([dict(sorted(pair.items())) for pair in pairs], frozenset().union(*pairs))


def _candidate(row: Sequence[Any], query: _Query) -> Candidate:
    """Reads a row of the statement. A tool without words has none in common with the query."""
    pairs, vectors = len(query.words), len(query.vectors)
    lexical, dense = row[3 : 3 + pairs], row[3 + pairs : 3 + pairs + vectors]
    is_embedded = vectors > 0 and dense[0] is not None
    words = (0.0,) * pairs if lexical[0] is None else _positive(lexical)
    return Candidate(row[2], _positive(dense) if is_embedded else None, words, row[3 + pairs + vectors])


def _positive(similarities: Sequence[float]) -> tuple[float, ...]:
    return tuple(map(neg, similarities))


def _of_hits(query: _Query, scope: Scope, limit: int, *, is_thorough: bool) -> Sql:
    """Returns the statement for hits, and its parameters."""
    tools, given = _tools(query, scope, is_thorough=is_thorough)
    shown, of_shown = orm_sql.shown_tools(query.embedder, query.size)
    spare = SPARE_CANDIDATES if _is_boosted(query, scope) else SPARE_UNAPPROVED
    shape = _shape(query, scope, limit, limit + spare, is_thorough=is_thorough)
    return statement.of_hits(shape, tools, shown), given | of_shown


def _of_names(query: _Query, scope: Scope, limit: int) -> Sql:
    """Returns the statement for names and scores alone, and its parameters."""
    tools, given = _tools(query, scope, is_thorough=False)
    candidates = limit + (SPARE_CANDIDATES if _is_boosted(query, scope) else 0)
    return statement.of_names(_shape(query, scope, limit, candidates), tools), given


def _shape(
    query: _Query, scope: Scope, limit: int, candidates: int, *, is_thorough: bool = False
) -> statement.Shape:
    return statement.Shape(
        limit,
        candidates,
        range(len(query.words)),
        has_vectors=bool(query.vectors),
        has_servers=scope.server_ids is not None,
        is_named=scope.is_named,
        is_boosted=_is_boosted(query, scope),
        is_thorough=is_thorough,
    )


def _is_boosted(query: _Query, scope: Scope) -> bool:
    return bool(query.whole) and scope.used_by is not None


def _tools(query: _Query, scope: Scope, *, is_thorough: bool) -> tuple[str, dict[str, Any]]:
    """Returns the query of the tools in scope, and the parameters of a statement, up to what is shown."""
    narrowed = frozenset() if scope.is_named else frozenset(scope.narrowed.items())
    tools, of_tools = orm_sql.measured_tools(narrowed, query.embedder, query.size, is_thorough=is_thorough)
    given: dict[str, Any] = {f"words_{pair}": words for pair, words in enumerate(query.words)}
    given |= {f"vector_{pair}": parameters.Vector(vector) for pair, vector in enumerate(query.vectors)}
    return tools, given | of_tools | _of_scope(scope) | _of_boost(query, scope)


def _of_scope(scope: Scope) -> dict[str, Any]:
    """Returns the parameters of the tools in scope: the server and the name of each, or the servers."""
    if not scope.is_named:
        return {} if scope.server_ids is None else {"servers": parameters.ids(scope.server_ids)}
    tools = [(server, name) for server, names in scope.narrowed.items() for name in names]
    servers = parameters.numbers(server for server, _ in tools)
    return {"named_servers": servers, "names": [name for _, name in tools]}


def _of_boost(query: _Query, scope: Scope) -> dict[str, Any]:
    if not _is_boosted(query, scope):
        return {}
    whole = parameters.Vector(query.whole)
    return {"whole": whole, "used_by": scope.used_by, "embedder": query.embedder, "size": query.size}
