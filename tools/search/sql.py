"""The SQL statement of a search: it measures every tool in scope against every text of the query.

One exact scan: an index of neighbours would filter by server after the fact and find few of the rows wanted,
and a scan takes 10 ms for 10,000 tools. Inverse document frequencies are those of the scope, from WordCount:
a tool that a caller may not use must not change the rank of another.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from django.db import connection
from django.db.models import Case, F, Func, IntegerField, Q, When
from django.db.models.lookups import Exact
from pgvector.django import VectorField

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
        WHERE word = ANY(%s) AND {{in_scope}} GROUP BY word
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
Vector = Sequence[float]
Sql = tuple[str, list[Any]]


def measure(
    texts: Sequence[str], vectors: Sequence[Vector], embedder: str, scope: Scope, *, limit: int
) -> tuple[list[Candidate], int]:
    """Returns the candidates for `limit` hits, and the number of tools in scope without a vector.

    `vectors`: of the texts, by this embedder; empty to measure lexical similarity alone.
    """
    most = limit if scope.used_by is None else limit + SPARE_CANDIDATES
    sql, parameters = _statement(texts, vectors, embedder, scope, most)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    # Without any candidate there is one row, which has the number of tools without a vector and no id.
    found = [row for row in rows if row[1] is not None]
    return [_candidate(row, len(texts), has_vectors=bool(vectors)) for row in found], rows[0][0]


def _candidate(row: Sequence[Any], texts: int, *, has_vectors: bool) -> Candidate:
    """Reads a row: (missing, id, lexical similarity by text, dense similarity by text, boost)."""
    lexical, dense = row[2 : 2 + texts], row[2 + texts : 2 + 2 * texts]
    is_embedded = has_vectors and dense[0] is not None
    return Candidate(row[1], dense if is_embedded else None, lexical, row[-1])


def _statement(
    texts: Sequence[str], vectors: Sequence[Vector], embedder: str, scope: Scope, most: int
) -> Sql:
    """Returns the statement for this query, and its parameters.

    OFFSET 0 in `scoped` keeps the planner from merging it into `measured`, where the CASE that picks a tool's
    vector would be evaluated once for each text. `means` has exactly one row, and the left join from it keeps
    that row if nothing is found.
    """
    serialized = [orjson.dumps(vector).decode() for vector in vectors]
    size = len(vectors[0]) if vectors else 0
    offered, offered_parameters = _offered(frozenset(scope.narrowed.items()), embedder, size)
    servers = [] if scope.server_ids is None else [f"{{{','.join(map(str, scope.server_ids))}}}"]
    in_scope = "server_id = ANY(%s::bigint[])" if servers else "true"
    columns = ", ".join([*_columns("lexical", texts), *_columns("dense", vectors)])
    sql = f"""WITH {_QUERY_VECTORS.replace("{in_scope}", in_scope)},
        offered (id, server_id, words, vector) AS ({offered}),
        scoped AS (SELECT * FROM offered WHERE {in_scope} OFFSET 0),
        measured AS MATERIALIZED (SELECT id, {_similarities(texts, vectors)} FROM scoped),
        means AS (SELECT {_means(vectors)} FROM measured),
        best AS (
            SELECT id, {columns} FROM measured, means
            WHERE greatest({columns}) > 0
            ORDER BY {_score(texts, vectors)} DESC, id LIMIT {most}
        )
        SELECT missing, best.*, {_BOOST if vectors else "0::float8"} FROM means LEFT JOIN best ON true"""  # noqa: S608 - its own names and numbers
    boost = [serialized[0], scope.used_by, embedder, size] if vectors else []
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


def _terms(texts: Sequence[str]) -> list[Any]:
    """Returns the parameters of `terms` and `frequencies`: text, dimension and weight of each term."""
    weighted = [
        (number, index, count * bm25.weight(text))
        for number, text in enumerate(texts)
        for index, count in Counter(bm25.dimensions(text)).items()
    ]
    numbers, indices, weights = map(list, zip(*weighted, strict=True)) if weighted else ([], [], [])
    return [numbers, indices, weights, [*indices, WordCount.EVERY]]


def _columns(name: str, items: Sequence[Any]) -> list[str]:
    return [f"{name}_{number}" for number in range(len(items))]


def _similarities(texts: Sequence[str], vectors: Sequence[Vector]) -> str:
    """pgvector's <#> is the negative inner product, which of vectors of length 1 is the negative cosine.

    Without a common term or without a vector the lexical similarity is 0, the dense one NULL.
    """
    lexical = [
        f"coalesce(-(words <#> (SELECT words FROM queries WHERE text = {number})), 0)::real AS {name}"  # noqa: S608
        for number, name in enumerate(_columns("lexical", texts))
    ]
    dense = [f"(-(vector <#> %s::vector))::real AS {name}" for name in _columns("dense", vectors)]
    return ", ".join(lexical + dense)


def _means(vectors: Sequence[Vector]) -> str:
    means = [f"coalesce(avg({name}), 0) AS mean_{name}" for name in _columns("dense", vectors)]
    missing = "count(*) FILTER (WHERE dense_0 IS NULL)" if vectors else "count(*)"
    return ", ".join([*means, f"{missing} AS missing"])


def _score(texts: Sequence[str], vectors: Sequence[Vector]) -> str:
    """The score of `fusion`, without the boost: it orders the rows, so that few have to be returned.

    A tool without a vector gets the mean, as in `fusion`.
    """
    lexical, dense = _columns("lexical", texts), _columns("dense", vectors)
    similarities = [
        f"{one} + coalesce({other}, mean_{other})" for one, other in zip(lexical, dense, strict=False)
    ] or lexical
    parts = f" + {PART_WEIGHT} * greatest({', '.join(similarities[1:])})" if similarities[1:] else ""
    return similarities[0] + parts
