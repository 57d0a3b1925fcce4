"""The one SQL statement of a search: measures every function in scope against every text of the query.

One scan, exact: filtered by servers an index of neighbours would give a few of the rows asked for, and a scan
takes 10 ms for 10,000 functions. The inverse document frequencies are those of the scope, from WordCount.
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

OVERTAKING = 100
"""How many more candidates than hits there are where uses may lift some of them."""
MOST_BOOST = 0.05
"""Of a function that served nothing but requests like this one, and many."""
_USES_FOR_HALF = 1

_QUERIES = f"""
    asked AS (SELECT * FROM unnest(%s::int[], %s::int[], %s::float8[]) AS asked(text, word, weight)),
    frequencies AS MATERIALIZED (
        SELECT word, sum(functions)::float8 AS functions FROM tools_wordcount
        WHERE word = ANY(%s) AND {{in_scope}} GROUP BY word
    ),
    every AS (SELECT functions AS n FROM frequencies WHERE word = {WordCount.EVERY}),
    queries AS MATERIALIZED (
        SELECT text, ('{{' || string_agg(word + 1 || ':' || (weight * rarity)::real, ',')
            || '}}/{bm25.DIMENSIONS}')::sparsevec AS words
        FROM (
            SELECT text, word, weight, ln(1 + (n - f + 0.5) / (f + 0.5)) AS rarity FROM asked
            LEFT JOIN frequencies USING (word), every, LEAST(coalesce(functions, 0), n) AS f
        ) AS rare GROUP BY text
    )"""  # noqa: S608 - constants
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
    """The candidates for so many hits, and how many functions in scope have no vector of the embedder.

    `vectors`: of the texts, by this embedder; none: words alone count.
    """
    most = limit if scope.used_by is None else limit + OVERTAKING
    sql, parameters = _statement(texts, vectors, embedder, scope, most)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    found = [row for row in rows if row[1] is not None]  # where none is, the row tells how many are missing
    return [_candidate(row, len(texts), has_dense=bool(vectors)) for row in found], rows[0][0]


def _candidate(row: Sequence[Any], texts: int, *, has_dense: bool) -> Candidate:
    """`row`: how many have no vector, id, likeness by words, text by text, the same by vectors, the boost."""
    words, dense = row[2 : 2 + texts], row[2 + texts : 2 + 2 * texts]
    is_dense = has_dense and dense[0] is not None
    return Candidate(row[1], dense if is_dense else None, words, row[-1])


def _statement(
    texts: Sequence[str], vectors: Sequence[Vector], embedder: str, scope: Scope, most: int
) -> Sql:
    written = [orjson.dumps(vector).decode() for vector in vectors]
    size = len(vectors[0]) if vectors else 0
    offered, offered_parameters = _offered(frozenset(scope.narrowed.items()), embedder, size)
    servers = [] if scope.server_ids is None else [f"{{{','.join(map(str, scope.server_ids))}}}"]
    in_scope = "server_id = ANY(%s::bigint[])" if servers else "true"
    names = [*_numbered("w", texts), *_numbered("d", vectors)]
    sql = f"""WITH {_QUERIES.replace("{in_scope}", in_scope)},
        offered (id, server_id, words, vector) AS ({offered}),
        scoped AS (SELECT * FROM offered WHERE {in_scope} OFFSET 0),
        measured AS MATERIALIZED (SELECT id, {_measures(texts, vectors)} FROM scoped),
        usual AS (SELECT {_means(vectors)} FROM measured),
        best AS (
            SELECT id, {", ".join(names)} FROM measured, usual
            WHERE greatest({", ".join(names)}) > 0
            ORDER BY {_score(texts, vectors)} DESC, id LIMIT {most}
        )
        SELECT missing, best.*, {_BOOST if vectors else "0::float8"} FROM usual LEFT JOIN best ON true"""  # noqa: S608 - its own names and numbers
    boost = [written[0], scope.used_by, embedder, size] if vectors else []
    return sql, [*_asked(texts), *servers, *offered_parameters, *servers, *written, *boost]


@lru_cache(maxsize=256)
def _offered(narrowed: frozenset[tuple[int, frozenset[str]]], embedder: str, size: int) -> Sql:
    """Id, server, words, and the vector of this embedder and size, from whichever place it lies in."""
    rows = ToolFunction.objects.offered().order_by()
    for server_id, names in narrowed:
        rows = rows.exclude(~Q(name__in=names), server=server_id)
    sql, parameters = rows.values_list(
        "id", "server_id", "words", _vector(embedder, size)
    ).query.sql_with_params()
    return sql, list(parameters)


def _vector(embedder: str, size: int) -> Case:
    places = ("embedding", "embedder"), ("next_embedding", "next_embedder")
    return Case(
        *(When(_has_size(vector, size), **{name: embedder}, then=F(vector)) for vector, name in places),
        output_field=VectorField(),
    )


def _has_size(vector: str, size: int) -> Q:
    return Q(Exact(Func(F(vector), function="vector_dims", output_field=IntegerField()), size))


def _asked(texts: Sequence[str]) -> list[Any]:
    asked = [
        (number, place, times * bm25.weight(text))
        for number, text in enumerate(texts)
        for place, times in Counter(bm25.places(text)).items()
    ]
    numbers, places, weights = map(list, zip(*asked, strict=True)) if asked else ([], [], [])
    return [numbers, places, weights, [*places, WordCount.EVERY]]


def _numbered(letter: str, items: Sequence[Any]) -> list[str]:
    return [f"{letter}{number}" for number in range(len(items))]


def _measures(texts: Sequence[str], vectors: Sequence[Vector]) -> str:
    """pgvector gives the negative inner product; vectors have the length 1."""
    words = [
        f"coalesce(-(words <#> (SELECT words FROM queries WHERE text = {number})), 0)::real AS w{number}"  # noqa: S608
        for number in range(len(texts))
    ]
    return ", ".join(
        words + [f"(-(vector <#> %s::vector))::real AS {name}" for name in _numbered("d", vectors)]
    )


def _means(vectors: Sequence[Vector]) -> str:
    means = [f"coalesce(avg({name}), 0) AS mean_{name}" for name in _numbered("d", vectors)]
    missing = "count(*) FILTER (WHERE d0 IS NULL)" if vectors else "count(*)"
    return ", ".join([*means, f"{missing} AS missing"])


def _score(texts: Sequence[str], vectors: Sequence[Vector]) -> str:
    """As `fusion` has it, but for the boost. A function without a vector counts as a usual one here, too."""
    words, dense = _numbered("w", texts), _numbered("d", vectors)
    likeness = [
        f"{word} + coalesce({one}, mean_{one})" for word, one in zip(words, dense, strict=False)
    ] or words
    parts = f" + {PART_WEIGHT} * greatest({', '.join(likeness[1:])})" if likeness[1:] else ""
    return likeness[0] + parts
