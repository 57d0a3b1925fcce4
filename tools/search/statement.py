"""The SQL of a search: it measures every tool in scope against the texts of the query, in pairs.

One exact scan: an index of neighbours would filter by server after the fact and find few of the rows wanted.
The words of the query come with their rarity in the scope (see `frequencies`): a tool that a caller may not
use must not change the rank of another.

Similarities are negative in SQL, as pgvector's <#> is the negative inner product, and so are scores: the
lowest are the best. A scan spends its time on expressions for every row, of which there are none to spare:
it has the score alone. The parts of it are measured again for what is returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tools.search.orm_sql import Texts

MOST_BOOST = 0.05
"""The boost of a tool that served nothing but requests like this one, and many of them."""
_USES_FOR_HALF = 1
"""After so many uses half of the boost counts: a single use may have been chance."""

# requests is the sum of the vectors of `uses` requests, so that this is
# MOST_BOOST * (mean cosine to those requests) * uses / (uses + _USES_FOR_HALF).
# They are looked up together: one by one takes as long as to measure the tools.
_BOOSTED = f"""
    used AS (
        SELECT function_id, {MOST_BOOST} * greatest(0, -(requests <#> %(whole)s::vector))
            / (uses + {_USES_FOR_HALF}) AS boost FROM tools_functionuse
        WHERE used_by = %(used_by)s AND embedder = %(embedder)s AND vector_dims(requests) = %(size)s
            AND function_id = ANY(ARRAY(SELECT id FROM best))
    ),
    boosted AS (SELECT best.*, coalesce(boost, 0) AS boost FROM best LEFT JOIN used ON function_id = id)
    """  # noqa: S608 - constants
_UNBOOSTED = "boosted AS (SELECT *, 0::float8 AS boost FROM best)"
_OF_SERVERS = "server_id = ANY(%(servers)s::bigint[])"
_NAMED = "(server_id, name) IN (SELECT * FROM unnest(%(named_servers)s::bigint[], %(names)s::text[]))"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the text depends on.

    `pairs`: their numbers. `is_named`: all tools in scope are named, each with its server. `is_thorough`
    makes a second pass over the rows for the means that tools without a vector get, as in `fusion`. Without,
    a tool that has no vector or no words has no score and comes first.
    """

    limit: int
    candidates: int
    pairs: range
    has_vectors: bool
    has_servers: bool
    is_named: bool
    is_boosted: bool
    is_thorough: bool = False


@lru_cache(maxsize=256)
def of_names(shape: Shape, tools: str) -> str:
    """Returns the statement for public names and scores alone. `tools`: the query of `orm_sql`."""
    # A sort copies each row: to look up the names of the best takes less time than to carry all of them.
    return _closed_up(f"""{_ranked(shape, tools)}
        SELECT (SELECT public_name FROM tools_toolfunction AS t WHERE t.id = boosted.id), score - boost
        FROM boosted {_ordered(shape)}""")  # noqa: S608 - its own names and numbers


@lru_cache(maxsize=256)
def of_hits(shape: Shape, tools: str, shown: str) -> str:
    """Returns the statement for all that is said of a hit. `tools`, `shown`: the queries of `orm_sql`.

    Its rows: how many tools have no vector, whether there are more candidates, id, lexical and dense
    similarities by pair, boost, and what is shown.

    OFFSET 0 keeps the planner from looking through all tools for those that are shown.
    """
    parts = [*map(_lexical, shape.pairs), *map(_dense, shape.pairs if shape.has_vectors else ())]
    missing = "(SELECT missing FROM means)" if shape.is_thorough else "0::bigint"
    return _closed_up(f"""{_ranked(shape, tools)}
        SELECT {missing}, (SELECT count(*) = {shape.candidates} FROM best), boosted.id,
            {", ".join(parts)}, boost, {", ".join(Texts._fields)}
        FROM boosted, LATERAL (
            SELECT * FROM ({shown}) AS shown (id, words, vector, {", ".join(Texts._fields)})
            WHERE id = boosted.id OFFSET 0
        ) AS shown {_ordered(shape)}""")  # noqa: S608 - its own names and numbers


def _closed_up(statement: str) -> str:
    """Psycopg keeps what it reads from a statement of 4,096 characters at most; no literal has blanks."""
    return " ".join(statement.split())


def _ranked(shape: Shape, tools: str) -> str:
    """Returns the beginning of a statement, up to `boosted`: id, score and boost of the best."""
    within = _NAMED if shape.is_named else _OF_SERVERS if shape.has_servers else "true"
    return f"""WITH
        tools (id, server_id, name, words, vector, has_vector) AS ({tools}),
        {_means(shape, within) if shape.is_thorough else ""}
        best AS (
            {_scored_with_means(shape) if shape.is_thorough else _scored(shape, within)}
            ORDER BY score NULLS FIRST, id LIMIT {shape.candidates}
        ), {_BOOSTED if shape.is_boosted else _UNBOOSTED}"""


def _ordered(shape: Shape) -> str:
    # Without a boost PostgreSQL knows that the best have this order, and looks no further than the limit.
    score = "score - boost" if shape.is_boosted else "score"
    return f"ORDER BY {score} NULLS FIRST, boosted.id LIMIT {shape.limit}"


def _scored(shape: Shape, within: str) -> str:
    """One expression for each tool: a further level of queries would take longer than a further vector."""
    score = _score(shape, [_lexical(pair) for pair in shape.pairs], [_dense(pair) for pair in shape.pairs])
    if shape.has_vectors:
        score = f"CASE WHEN has_vector THEN {score} END"
    return f"SELECT id, {score} AS score FROM tools WHERE {within}"  # noqa: S608


def _means(shape: Shape, within: str) -> str:
    """A tool without a word in common has a lexical similarity of 0, one without a vector the mean."""
    lexical = [f"coalesce({_lexical(pair)}, 0) AS lexical_{pair}" for pair in shape.pairs]
    dense = [f"{_dense(pair)} AS dense_{pair}" for pair in shape.pairs] if shape.has_vectors else []
    means = [f"coalesce(avg(dense_{pair}), 0) AS mean_{pair}" for pair in shape.pairs if shape.has_vectors]
    missing = "count(*) FILTER (WHERE dense_0 IS NULL)" if shape.has_vectors else "0::bigint"
    return f"""
        scoped AS (SELECT * FROM tools WHERE {within} OFFSET 0),
        measured AS MATERIALIZED (SELECT id, {", ".join([*lexical, *dense])} FROM scoped),
        means AS (SELECT {", ".join([*means, f"{missing} AS missing"])} FROM measured),"""  # noqa: S608


def _scored_with_means(shape: Shape) -> str:
    lexical = [f"lexical_{pair}" for pair in shape.pairs]
    dense = [f"coalesce(dense_{pair}, mean_{pair})" for pair in shape.pairs]
    return f"SELECT id, {_score(shape, lexical, dense)} AS score FROM measured, means"  # noqa: S608


def _score(shape: Shape, lexical: Sequence[str], dense: Sequence[str]) -> str:
    """The score of `fusion`, negative and without the boost: it orders the rows, so that few are returned."""
    pairs = lexical
    if shape.has_vectors:
        pairs = [f"{one} + {other}" for one, other in zip(lexical, dense, strict=True)]
    return f"least({', '.join(pairs)})" if len(pairs) > 1 else pairs[0]


def _lexical(pair: int) -> str:
    """NULL for a tool without words. pgvector goes through the left side, so the shorter one stands there."""
    return f"(%(words_{pair})s::sparsevec <#> words)"


def _dense(pair: int) -> str:
    return f"(vector <#> %(vector_{pair})s::vector)"
