"""The parts of a search's statement that the ORM writes, so that one place decides what a model may be given.

They are kept: to write one takes longer than to search a hundred tools.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import (
    BooleanField,
    Case,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, NullIf
from django.db.models.lookups import Exact
from pgvector.django import VectorField

from tools.models import ToolFunction

Sql = tuple[str, dict[str, Any]]
"""A query, and its parameters by name."""
_FIRST, _NEXT = ("embedding", "embedder"), ("next_embedding", "next_embedder")
"""The columns of vectors: see `vectors` for why there are two."""


class Texts(NamedTuple):
    """What is shown of a tool. `description`: as models get it."""

    server_id: int
    public_name: str
    server: str
    server_slug: str
    function: str
    description: str


@lru_cache(maxsize=256)
def measured_tools(
    narrowed: frozenset[tuple[int, frozenset[str]]], embedder: str, size: int, *, is_thorough: bool
) -> Sql:
    """Returns the query of the tools to measure.

    Its columns: id, server, name, words, vector, and whether that is one by this embedder.

    Most of a scan's time goes into fetching its rows, piece by piece. Unless it is thorough, it does without
    what stands at the far end of a row: the second vector, and the server, which decides whether a definition
    must be approved.
    """
    tools = ToolFunction.objects.offered() if is_thorough else ToolFunction.objects.enabled()
    for server_id, names in narrowed:
        tools = tools.exclude(~Q(name__in=names), server=server_id)
    vector: Case | str = _vector(embedder, size) if is_thorough else "embedding"
    has_vector = (
        Value(True) if is_thorough else ExpressionWrapper(_is_by(embedder, size, _FIRST), BooleanField())
    )
    columns = "id", "server_id", "name", "words", vector, has_vector
    return _named("m", tools.order_by().values_list(*columns))


@lru_cache(maxsize=16)
def shown_tools(embedder: str, size: int) -> Sql:
    """Returns the query of tools that a model may be given: id, words, vector, and the fields of `Texts`."""
    override = NullIf(KT("overrides__description"), Value(""))
    given = Coalesce(override, "description", output_field=TextField())
    tools = ToolFunction.objects.offered().filter(server__deleted_at=None).order_by()
    texts = "server_id", "public_name", "server__name", "server__slug", "name", given
    columns = "id", "words", _vector(embedder, size), *texts
    return _named("s", tools.values_list(*columns))


def _named(of: str, query: QuerySet[ToolFunction, tuple[Any, ...]]) -> Sql:
    """Names the parameters: the statement that this is a part of has others, too, some of them repeatedly.

    Shortly, since psycopg keeps what it reads from a short statement, and a scope may have hundreds of names.
    """
    sql, parameters = query.query.sql_with_params()
    named = {f"{of}{number}": value for number, value in enumerate(parameters)}
    return sql % tuple(f"%({name})s" for name in named), named


def _vector(embedder: str, size: int) -> Case:
    whens = (When(_is_by(embedder, size, column), then=F(column[0])) for column in (_FIRST, _NEXT))
    return Case(*whens, output_field=VectorField())


def _is_by(embedder: str, size: int, column: tuple[str, str]) -> Q:
    # A service may change the size behind the same name, and pgvector fails on vectors of two sizes.
    vector, name = column
    of_size = Exact(Func(F(vector), function="vector_dims", output_field=IntegerField()), size)
    return Q(of_size, **{name: embedder})
