"""What a search sends to PostgreSQL, and what comes back: see `statement` for the text of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
Terms = Mapping[int, float]
"""The weights of terms, by their dimensions."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The best candidates, what is shown of each by its id, and how many tools in scope have no vector."""

    candidates: Sequence[Candidate]
    texts: Mapping[int, Texts]
    missing: int


async def measure(
    texts: Sequence[str], vectors: Sequence[Vector], embedder: str, scope: Scope, *, limit: int
) -> Measured:
    """Returns `limit` candidates at most.

    `vectors`: of the texts, by this embedder; empty to measure lexical similarity alone: nothing is missing
    then. Raises django.db.OperationalError.
    """
    query = _query(texts, vectors, embedder)
    rows = await reading.fetch(*_statement(query, scope, limit, is_thorough=False))
    if _needs_more(rows, limit):
        rows = await reading.fetch(*_statement(query, scope, limit, is_thorough=True))
    candidates = [_candidate(row, query) for row in rows]
    shown = {row[2]: Texts(*row[-len(Texts._fields) :]) for row in rows}
    return Measured(candidates, shown, rows[0][0] if rows else 0)


def _needs_more(rows: reading.Rows, limit: int) -> bool:
    """Whether a tool has no vector, or candidates that no model may be given kept others out."""
    if not rows:
        return True
    _, has_others, *_ = rows[0]
    return any(None in row for row in rows) or (has_others and len(rows) < limit)


@dataclass(frozen=True, slots=True)
class _Query:
    """The terms and vectors of its pairs, and the vector of the whole, empty without an embedder."""

    terms: Sequence[Terms]
    vectors: Sequence[Vector]
    whole: Vector
    embedder: str

    @property
    def size(self) -> int:
        return len(self.whole)


def _query(texts: Sequence[str], vectors: Sequence[Vector], embedder: str) -> _Query:
    terms = paired_terms([bm25.weighted_terms(text) for text in texts])
    return _Query(terms, paired_vectors(vectors), next(iter(vectors), ()), embedder)


def _candidate(row: Sequence[Any], query: _Query) -> Candidate:
    """Reads a row of the statement."""
    pairs, vectors = len(query.terms), len(query.vectors)
    lexical, dense = row[3 : 3 + pairs], row[3 + pairs : 3 + pairs + vectors]
    is_embedded = vectors > 0 and dense[0] is not None
    boost = row[3 + pairs + vectors]
    return Candidate(row[2], _positive(dense) if is_embedded else None, _positive(lexical), boost)


def _positive(similarities: Sequence[float]) -> tuple[float, ...]:
    return tuple(map(neg, similarities))


def _statement(query: _Query, scope: Scope, limit: int, *, is_thorough: bool) -> Sql:
    """Returns the statement for this query, and its parameters."""
    tools, of_tools = orm_sql.measured_tools(
        frozenset(scope.narrowed.items()), query.embedder, query.size, is_thorough=is_thorough
    )
    shown, of_shown = orm_sql.shown_tools()
    first, *others = (pair.keys() for pair in query.terms)
    boost = _boost(query, scope)
    shape = statement.Shape(
        limit,
        limit + (SPARE_CANDIDATES if boost else SPARE_UNAPPROVED),
        tuple(other <= first for other in others),
        has_vectors=bool(query.vectors),
        has_servers=scope.server_ids is not None,
        is_boosted=bool(boost),
        is_thorough=is_thorough,
    )
    servers = None if scope.server_ids is None else parameters.ids(scope.server_ids)
    vectors = map(parameters.Vector, query.vectors)
    given = [servers, *_terms(query.terms), *of_tools, *vectors, *boost, *of_shown]
    return statement.text(shape, tools, shown), given


def _boost(query: _Query, scope: Scope) -> list[Any]:
    """Returns the parameters of the boost, none without one."""
    if not query.whole or scope.used_by is None:
        return []
    return [parameters.Vector(query.whole), scope.used_by, query.embedder, query.size]


def _terms(pairs: Sequence[Terms]) -> list[Any]:
    """Returns the parameters of `terms` and `frequencies`: pair, dimension and weight of each term."""
    weighted = [
        (number, index, weight) for number, terms in enumerate(pairs) for index, weight in terms.items()
    ]
    numbers, indices, weights = map(list, zip(*weighted, strict=True)) if weighted else ([], [], [])
    words = {WordCount.EVERY, *indices}
    return [*map(parameters.numbers, (numbers, indices, weights, words))]
