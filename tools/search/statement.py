"""The SQL of a search: it measures every tool in scope against the texts of the query, in pairs.

One exact scan: an index of neighbours would filter by server after the fact and find few of the rows wanted.
Inverse document frequencies are those of the scope, from WordCount: a tool that a caller may not use must not
change the rank of another.

Similarities are negative in SQL, as pgvector's <#> is the negative inner product, and so are scores: the
lowest are the best. A scan spends its time on expressions for every row, of which there are none to spare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tools.models import WordCount
from tools.search import bm25

MOST_BOOST = 0.05
"""The boost of a tool that served nothing but requests like this one, and many of them."""
_USES_FOR_HALF = 1
"""After so many uses half of the boost counts: a single use may have been chance."""

# `terms` has a row for each pair and term of the query, `total` the number of indexed tools in scope.
# What is MATERIALIZED is read more than once.
# Dimensions count from 0 here, in pgvector's text form of a sparse vector from 1.
# LEAST, because the logarithm needs f <= n whatever the counts are.
_QUERY_VECTORS = f"""
    scope AS MATERIALIZED (SELECT %s::bigint[] AS servers),
    terms AS (SELECT * FROM unnest(%s::int[], %s::int[], %s::float8[]) AS terms(pair, word, weight)),
    frequencies AS MATERIALIZED (
        SELECT word, sum(functions)::float8 AS functions FROM tools_wordcount
        WHERE word = ANY(%s::int[]) AND {{in_scope}} GROUP BY word
    ),
    total AS (SELECT functions AS n FROM frequencies WHERE word = {WordCount.EVERY}),
    queries AS MATERIALIZED (
        SELECT pair, ('{{' || string_agg(word + 1 || ':' || (weight * rarity)::real, ',')
            || '}}/{bm25.DIMENSIONS}')::sparsevec AS words
        FROM (
            SELECT pair, word, weight, ln(1 + (n - f + 0.5) / (f + 0.5)) AS rarity FROM terms
            LEFT JOIN frequencies USING (word), total, LEAST(coalesce(functions, 0), n) AS f
        ) AS rare GROUP BY pair
    )"""  # noqa: S608 - constants
# requests is the sum of the vectors of `uses` requests, so that this is
# MOST_BOOST * (mean cosine to those requests) * uses / (uses + _USES_FOR_HALF).
_BOOST = f"""coalesce((
        SELECT {MOST_BOOST} * greatest(0, -(requests <#> %s::vector)) / (uses + {_USES_FOR_HALF})
        FROM tools_functionuse
        WHERE used_by = %s AND function_id = best.id AND embedder = %s AND vector_dims(requests) = %s
    ), 0)"""  # noqa: S608 - constants
_IN_SCOPE = "server_id = ANY((SELECT servers FROM scope)::bigint[])"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the text depends on.

    `parts`: for each pair but the first, whether all of its terms are among those of the first. `is_thorough`
    makes a second pass over the rows for the means that tools without a vector get, as in `fusion`. Without,
    a tool that has no vector or no words has no score and comes first.
    """

    limit: int
    candidates: int
    parts: tuple[bool, ...]
    has_vectors: bool
    has_servers: bool
    is_boosted: bool
    is_thorough: bool

    @property
    def lexical(self) -> Sequence[str]:
        return [f"lexical_{number}" for number in range(len(self.parts) + 1)]

    @property
    def dense(self) -> Sequence[str]:
        return [f"dense_{number}" for number in range(len(self.parts) + 1)] if self.has_vectors else []


@lru_cache(maxsize=256)
def text(shape: Shape, tools: str, shown: str) -> str:
    """Returns the statement. `tools`, `shown`: the queries of `orm_sql`.

    Its rows: how many tools have no vector, whether there are more candidates, id, lexical and dense
    similarities by pair, boost, and what is shown.

    OFFSET 0 in `scoped` keeps the planner from merging it into `measured`, where the CASE that picks a tool's
    vector would be evaluated once for each pair; in `measured`, from measuring again for each mention; at the
    end, from looking through all tools for those that are shown.
    """
    in_scope = _IN_SCOPE if shape.has_servers else "true"
    barrier = "OFFSET 0" if shape.parts else ""
    columns = ", ".join(["id", *shape.lexical, *shape.dense])
    materialized, means, missing = "", "", "0::bigint"
    if shape.is_thorough:
        materialized, missing = "MATERIALIZED", "(SELECT missing FROM means)"
        means = f"means AS (SELECT {_means(shape)} FROM measured),"  # noqa: S608
    # Without a boost PostgreSQL knows that the best have this order, and looks no further than the limit.
    score = "score - boost" if shape.is_boosted else "score"
    return f"""WITH {_QUERY_VECTORS.replace("{in_scope}", in_scope)},
        tools (id, server_id, words, vector) AS ({tools}),
        scoped AS (SELECT *, {_lexical(shape, 0)} AS lexical_0 FROM tools WHERE {in_scope} {barrier}),
        measured AS {materialized} (SELECT id, {_similarities(shape)} FROM scoped OFFSET 0),
        {means}
        best AS (
            SELECT {columns}, {_score(shape)} AS score FROM measured{", means" if shape.is_thorough else ""}
            ORDER BY score NULLS FIRST, id LIMIT {shape.candidates}
        ),
        boosted AS (SELECT *, {_BOOST if shape.is_boosted else "0::float8"} AS boost FROM best)
        SELECT {missing}, (SELECT count(*) = {shape.candidates} FROM best), boosted.{columns}, boost, shown.*
        FROM boosted, LATERAL (SELECT * FROM ({shown}) AS shown WHERE id = boosted.id OFFSET 0) AS shown
        ORDER BY {score} NULLS FIRST, boosted.id LIMIT {shape.limit}"""  # noqa: S608 - its own names and numbers


def _similarities(shape: Shape) -> str:
    """Without a common term the lexical similarity is 0; without a vector the dense one is NULL."""
    # Half of the tools have no term of the whole, and so none of its clauses.
    parts = [
        f"CASE lexical_0 WHEN 0 THEN 0 ELSE {_lexical(shape, number)} END"
        if is_within
        else _lexical(shape, number)
        for number, is_within in enumerate(shape.parts, 1)
    ]
    dense = ["vector <#> %s::vector" for _ in shape.dense]
    named = zip([*parts, *dense], [*shape.lexical[1:], *shape.dense], strict=True)
    return ", ".join(["lexical_0", *(f"{similarity} AS {name}" for similarity, name in named)])


def _lexical(shape: Shape, pair: int) -> str:
    """NULL for a tool without words, or 0 if thorough. A query may have none that say anything."""
    words = f"(SELECT words FROM queries WHERE pair = {pair})"  # noqa: S608 - a number
    similarity = f"words <#> (SELECT coalesce({words}, '{{}}/{bm25.DIMENSIONS}'))"
    return f"coalesce({similarity}, 0)" if shape.is_thorough else f"({similarity})"


def _means(shape: Shape) -> str:
    means = [f"coalesce(avg({name}), 0) AS mean_{name}" for name in shape.dense]
    missing = "count(*) FILTER (WHERE dense_0 IS NULL)" if shape.dense else "0::bigint"
    return ", ".join([*means, f"{missing} AS missing"])


def _score(shape: Shape) -> str:
    """The score of `fusion`, negative and without the boost: it orders the rows, so that few are returned."""
    dense = shape.dense
    if shape.is_thorough:
        dense = [f"coalesce({name}, mean_{name})" for name in dense]
    pairs = [f"{one} + {other}" for one, other in zip(shape.lexical, dense, strict=False)] or shape.lexical
    return f"least({', '.join(pairs)})" if len(pairs) > 1 else pairs[0]
