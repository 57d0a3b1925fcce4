"""What a search sends to PostgreSQL, and what comes back: see `statement` for the text of it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import neg
from typing import Any

from core import reading
from tools.models import WordCount
from tools.search import bm25, orm_sql, parameters, statement
from tools.search.fusion import Candidate, paired_terms, paired_vectors
from tools.search.orm_sql import Sql, Texts
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
    query = _query(texts, vectors, embedder)
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
    rows = await reading.fetch(*_of_names(_query(texts, vectors, embedder), scope, most))
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
    """What is known of its pairs of texts, and the vector of the whole, empty without an embedder."""

    pairs: int
    terms: Sequence[Any]
    """The parameters of `terms` and `frequencies`."""
    vectors: Sequence[Vector]
    whole: Vector
    embedder: str

    @property
    def size(self) -> int:
        return len(self.whole)


def _query(texts: Sequence[str], vectors: Sequence[Vector], embedder: str) -> _Query:
    of_text = _terms if sum(map(len, texts)) <= LONGEST_KEPT else _terms.__wrapped__
    pairs, terms = of_text(tuple(texts))
    return _Query(pairs, terms, paired_vectors(vectors), next(iter(vectors), ()), embedder)


@lru_cache(maxsize=128)
def _terms(texts: Sequence[str]) -> tuple[int, Sequence[Any]]:
    """Returns the number of pairs; pair, dimension and weight of each term; and all dimensions to count."""
    pairs = paired_terms([bm25.weighted_terms(text) for text in texts])
    weighted = [
        (number, index, weight) for number, terms in enumerate(pairs) for index, weight in terms.items()
    ]
    numbers, indices, weights = map(list, zip(*weighted, strict=True)) if weighted else ([], [], [])
    words = {WordCount.EVERY, *indices}
    return len(pairs), [*map(parameters.numbers, (numbers, indices, weights, words))]


def _candidate(row: Sequence[Any], query: _Query) -> Candidate:
    """Reads a row of the statement. A tool without words has none in common with the query."""
    pairs, vectors = query.pairs, len(query.vectors)
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
    spare = SPARE_CANDIDATES if _boost(query, scope) else SPARE_UNAPPROVED
    shape = _shape(query, scope, limit, limit + spare, is_thorough=is_thorough)
    return statement.of_hits(shape, tools, shown), [*given, *of_shown]


def _of_names(query: _Query, scope: Scope, limit: int) -> Sql:
    """Returns the statement for names and scores alone, and its parameters."""
    tools, given = _tools(query, scope, is_thorough=False)
    candidates = limit + (SPARE_CANDIDATES if _boost(query, scope) else 0)
    return statement.of_names(_shape(query, scope, limit, candidates), tools), given


def _shape(
    query: _Query, scope: Scope, limit: int, candidates: int, *, is_thorough: bool = False
) -> statement.Shape:
    return statement.Shape(
        limit,
        candidates,
        range(query.pairs),
        has_vectors=bool(query.vectors),
        has_servers=scope.server_ids is not None,
        is_named=scope.is_named,
        is_boosted=bool(_boost(query, scope)),
        is_thorough=is_thorough,
    )


def _tools(query: _Query, scope: Scope, *, is_thorough: bool) -> Sql:
    """Returns the query of the tools in scope, and the parameters of a statement, up to what is shown."""
    narrowed = frozenset() if scope.is_named else frozenset(scope.narrowed.items())
    tools, of_tools = orm_sql.measured_tools(narrowed, query.embedder, query.size, is_thorough=is_thorough)
    servers = None if scope.server_ids is None else parameters.ids(scope.server_ids)
    vectors = map(parameters.Vector, query.vectors)
    named = _named(scope) if scope.is_named else []
    given = [servers, *vectors, *query.terms, *of_tools, *named, *_boost(query, scope)]
    return tools, given


def _named(scope: Scope) -> list[Any]:
    """Returns the parameters of the tools in scope: the server and the name of each."""
    tools = [(server, name) for server, names in scope.narrowed.items() for name in names]
    return [parameters.numbers(server for server, _ in tools), [name for _, name in tools]]


def _boost(query: _Query, scope: Scope) -> list[Any]:
    """Returns the parameters of the boost, none without one."""
    if not query.whole or scope.used_by is None:
        return []
    return [parameters.Vector(query.whole), scope.used_by, query.embedder, query.size]
