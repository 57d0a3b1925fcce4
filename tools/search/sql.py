"""The SQL statement of a search: it measures every tool in scope against every text of the query.

One exact scan: an index of neighbours would filter by server after the fact and find few of the rows wanted.
Inverse document frequencies are those of the scope, from WordCount: a tool that a caller may not use must not
change the rank of another.

Similarities are negative in SQL, as pgvector's <#> is the negative inner product, and so are scores: the
lowest are the best. A scan spends its time on expressions for every row, of which there are none to spare.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import neg
from typing import Any, NamedTuple

import orjson
from django.db.models import Case, F, Func, IntegerField, Q, When
from django.db.models.lookups import Exact
from pgvector.django import VectorField

from core import reading
from tools.models import ToolFunction, WordCount
from tools.search import bm25
from tools.search.fusion import PART_WEIGHT, Candidate
from tools.search.scope import Scope

SPARE_CANDIDATES = 100
"""The number of candidates beyond the limit if feedback may lift some of them above others."""
MOST_BOOST = 0.05
"""The boost of a tool that served nothing but requests like this one, and many of them."""
_USES_FOR_HALF = 1
"""After so many uses half of the boost counts: a single use may have been chance."""

# `terms` has a row for each text and term of the query, `total` the number of indexed tools in scope.
# Both CTEs below are MATERIALIZED because they are read more than once: by two CTEs, and once for each text.
# Dimensions count from 0 here, in pgvector's text form of a sparse vector from 1.
# LEAST, because the logarithm needs f <= n whatever the counts are.
_QUERY_VECTORS = f"""
    terms AS (SELECT * FROM unnest(%s::int[], %s::int[], %s::float8[]) AS terms(text, word, weight)),
    frequencies AS MATERIALIZED (
        SELECT word, sum(functions)::float8 AS functions FROM tools_wordcount
        WHERE word = ANY(%s::int[]) AND {{in_scope}} GROUP BY word
    ),
    total AS (SELECT functions AS n FROM frequencies WHERE word = {WordCount.EVERY}),
    queries AS MATERIALIZED (
        SELECT text, ('{{' || string_agg(word + 1 || ':' || (weight * rarity)::real, ',')
            || '}}/{bm25.DIMENSIONS}')::sparsevec AS words
        FROM (
            SELECT text, word, weight, ln(1 + (n - f + 0.5) / (f + 0.5)) AS rarity FROM terms
            LEFT JOIN frequencies USING (word), total, LEAST(coalesce(functions, 0), n) AS f
        ) AS rare GROUP BY text
    )"""  # noqa: S608 - constants
# requests is the sum of the vectors of `uses` requests, so that this is
# MOST_BOOST * (mean cosine to those requests) * uses / (uses + _USES_FOR_HALF).
_BOOST = f"""coalesce((
        SELECT {MOST_BOOST} * greatest(0, -(requests <#> %s::vector)) / (uses + {_USES_FOR_HALF})
        FROM tools_functionuse
        WHERE used_by = %s AND function_id = best.id AND embedder = %s AND vector_dims(requests) = %s
    ), 0)"""  # noqa: S608 - constants
_TEXTS = """tool.public_name, tool.name,
    coalesce(nullif(tool.overrides->>'description', ''), tool.description),
    server.id, server.name, server.slug"""
Vector = Sequence[float]
Terms = Counter[int]
"""How often a text has the terms, by their dimensions."""
Sql = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Measured:
    """The best candidates, what is shown of each by its id, and how many tools in scope have no vector."""

    candidates: Sequence[Candidate]
    texts: Mapping[int, "Texts"]
    missing: int


class Texts(NamedTuple):
    """What is shown of a tool. `description`: as models get it."""

    public_name: str
    function: str
    description: str
    server_id: int
    server: str
    server_slug: str


async def measure(
    texts: Sequence[str], vectors: Sequence[Vector], embedder: str, scope: Scope, *, limit: int
) -> Measured:
    """Returns `limit` candidates at most.

    `vectors`: of the texts, by this embedder; empty to measure lexical similarity alone: nothing is missing
    then. Raises django.db.OperationalError.
    """
    given = [Counter(bm25.dimensions(text)) for text in texts], vectors, embedder, scope, limit
    rows = await reading.fetch(*_statement(*given, with_means=False))
    # Usually each tool has a vector. The means for those that have none would be a second pass over the rows.
    if any(None in row for row in rows):
        rows = await reading.fetch(*_statement(*given, with_means=True))
    candidates = [_candidate(row, len(texts), len(vectors)) for row in rows]
    shown = {row[1]: Texts(*row[-len(Texts._fields) :]) for row in rows}
    return Measured(candidates, shown, rows[0][0] if rows else 0)


def _candidate(row: Sequence[Any], texts: int, vectors: int) -> Candidate:
    """Reads a row: (missing, id, lexical similarity by text, dense similarity by vector, boost, texts)."""
    lexical, dense = row[2 : 2 + texts], row[2 + texts : 2 + texts + vectors]
    is_embedded = vectors > 0 and dense[0] is not None
    boost = row[2 + texts + vectors]
    return Candidate(row[1], _positive(dense) if is_embedded else None, _positive(lexical), boost)


def _positive(similarities: Sequence[float]) -> tuple[float, ...]:
    return tuple(map(neg, similarities))


def _statement(
    texts: Sequence[Terms],
    vectors: Sequence[Vector],
    embedder: str,
    scope: Scope,
    limit: int,
    *,
    with_means: bool,
) -> Sql:
    """Returns the statement for this query, and its parameters.

    OFFSET 0 in `scoped` keeps the planner from merging it into `measured`, where the CASE that picks a tool's
    vector would be evaluated once for each text; in `measured`, from measuring again for each mention.

    `with_means`: a tool without a vector gets the mean of the others, as in `fusion`. Without, it has no
    score, and comes first.
    """
    serialized = [orjson.dumps(vector).decode() for vector in vectors]
    size = len(vectors[0]) if vectors else 0
    offered, offered_parameters = _offered(frozenset(scope.narrowed.items()), embedder, size)
    servers = [] if scope.server_ids is None else [_array(scope.server_ids)]
    in_scope = "server_id = ANY(%s::bigint[])" if servers else "true"
    is_boosted = bool(vectors) and scope.used_by is not None
    most = limit + SPARE_CANDIDATES if is_boosted else limit
    columns = ", ".join(["id", *_columns("lexical", texts), *_columns("dense", vectors)])
    materialized, means, missing = "", "", "0::bigint"
    if with_means:
        materialized, missing = "MATERIALIZED", "(SELECT missing FROM means)"
        means = f"means AS (SELECT {_means(vectors)} FROM measured),"  # noqa: S608
    sql = f"""WITH {_QUERY_VECTORS.replace("{in_scope}", in_scope)},
        offered (id, server_id, words, vector) AS ({offered}),
        scoped AS (SELECT *, {_lexical(0)} AS lexical_0 FROM offered WHERE {in_scope} OFFSET 0),
        measured AS {materialized} (SELECT id, {_similarities(texts, vectors)} FROM scoped OFFSET 0),
        {means}
        best AS (
            SELECT {columns}, {_score(texts, vectors, with_means=with_means)} AS score
            FROM measured{", means" if with_means else ""} ORDER BY score NULLS FIRST, id LIMIT {most}
        ),
        boosted AS (SELECT *, {_BOOST if is_boosted else "0::float8"} AS boost FROM best)
        SELECT {missing}, boosted.{columns}, boost, {_TEXTS} FROM boosted
        JOIN tools_toolfunction AS tool ON tool.id = boosted.id
        JOIN tools_mcptool AS server ON server.id = tool.server_id
        WHERE server.deleted_at IS NULL
        ORDER BY score - boost NULLS FIRST, boosted.id LIMIT {limit}"""  # noqa: S608 - its own names and numbers
    boost = [serialized[0], scope.used_by, embedder, size] if is_boosted else []
    return sql, [*_terms(texts), *servers, *offered_parameters, *servers, *serialized, *boost]


@lru_cache(maxsize=256)
def _offered(narrowed: frozenset[tuple[int, frozenset[str]]], embedder: str, size: int) -> Sql:
    """Returns the query of the tools that a model may be given: id, server, words, and their vector.

    By the ORM, so that one place decides what a model may be given; cached, because building it takes longer
    than a small search.
    """
    rows = ToolFunction.objects.offered().order_by()
    for server_id, names in narrowed:
        rows = rows.exclude(~Q(name__in=names), server=server_id)
    sql, parameters = rows.values_list(
        "id", "server_id", "words", _vector(embedder, size)
    ).query.sql_with_params()
    return sql, list(parameters)


def _vector(embedder: str, size: int) -> Case:
    """Picks the column with a vector of this embedder and size: see `vectors` for why there are two."""
    columns = ("embedding", "embedder"), ("next_embedding", "next_embedder")
    return Case(
        *(When(_has_size(vector, size), **{name: embedder}, then=F(vector)) for vector, name in columns),
        output_field=VectorField(),
    )


def _has_size(vector: str, size: int) -> Q:
    # A service may change the size behind the same name, and pgvector fails on vectors of two sizes.
    return Q(Exact(Func(F(vector), function="vector_dims", output_field=IntegerField()), size))


def _terms(texts: Sequence[Terms]) -> list[Any]:
    """Returns the parameters of `terms` and `frequencies`: text, dimension and weight of each term."""
    weighted = [
        (number, index, count * bm25.weight(terms.total()))
        for number, terms in enumerate(texts)
        for index, count in terms.items()
    ]
    numbers, indices, weights = map(list, zip(*weighted, strict=True)) if weighted else ([], [], [])
    return [*map(_array, (numbers, indices, weights)), _array([*indices, WordCount.EVERY])]


def _array(numbers: Iterable[float]) -> str:
    """Returns PostgreSQL's text of an array: psycopg would give a list the smallest type that holds it.

    So the same statement would be prepared several times.
    """
    return f"{{{','.join(map(str, numbers))}}}"


def _columns(name: str, items: Sequence[Any]) -> list[str]:
    return [f"{name}_{number}" for number in range(len(items))]


def _similarities(texts: Sequence[Terms], vectors: Sequence[Vector]) -> str:
    """Without a common term the lexical similarity is 0; without a vector the dense one is NULL."""
    whole, *parts = (text.keys() for text in texts)
    # Half of the tools have no term of the whole, and so none of its clauses.
    lexical = [
        f"CASE lexical_0 WHEN 0 THEN 0 ELSE {_lexical(number)} END" if part <= whole else _lexical(number)
        for number, part in enumerate(parts, 1)
    ]
    dense = ["vector <#> %s::vector" for _ in vectors]
    named = zip(
        [*lexical, *dense], [*_columns("lexical", texts)[1:], *_columns("dense", vectors)], strict=True
    )
    return ", ".join(["lexical_0", *(f"{similarity} AS {name}" for similarity, name in named)])


def _lexical(number: int) -> str:
    return f"coalesce(words <#> (SELECT words FROM queries WHERE text = {number}), 0)"  # noqa: S608


def _means(vectors: Sequence[Vector]) -> str:
    means = [f"coalesce(avg({name}), 0) AS mean_{name}" for name in _columns("dense", vectors)]
    return ", ".join([*means, "count(*) FILTER (WHERE dense_0 IS NULL) AS missing"])


def _score(texts: Sequence[Terms], vectors: Sequence[Vector], *, with_means: bool) -> str:
    """The score of `fusion`, negative and without the boost: it orders the rows, so that few are returned."""
    dense = [f"coalesce({name}, mean_{name})" if with_means else name for name in _columns("dense", vectors)]
    lexical = _columns("lexical", texts)
    similarities = [f"{one} + {other}" for one, other in zip(lexical, dense, strict=False)] or lexical
    parts = similarities[1:]
    if not parts:
        return similarities[0]
    return f"({similarities[0]} + {PART_WEIGHT} * least({', '.join(parts)})) / {1 + PART_WEIGHT}"
