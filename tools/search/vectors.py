"""Vectors of `Embedded` rows, and the change from one embedder to another without a gap.

A row has two columns for a vector, `embedding` and `next_embedding`, each beside the name of its embedder.
The vectors of a new embedder are written into the second column, while processes with the old settings go on
to search by the first: a search reads the column with its own embedder's name. Once every row has a vector of
the new embedder, it is promoted to the first column. So processes can be given the new settings in any order.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from math import hypot
from operator import mul
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from pgvector import Vector

from tools.models import Embedded
from tools.search.documents import INDEXED, text_hash
from tools.search.embedder import Embedder

BATCH = 64
NO_VECTOR = {"embedding": None, "embedder": "", "next_embedding": None, "next_embedder": ""}
Row = TypeVar("Row", bound=Embedded)
Numbers = Sequence[float]
Weighted = Sequence[tuple[str, float]]
"""Texts with the weights of their vectors."""
# One statement for a batch. A row whose text has changed has another hash.
_STORE = """
    UPDATE {table} SET {column}embedding = made.vector::vector, {column}embedder = %s
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS made(id, hash, vector)
    WHERE {table}.id = made.id AND indexed_hash = made.hash"""


def carrying(embedder: str) -> Q:
    """Matches rows with a vector of this embedder, in either column."""
    first = Q(embedder=embedder, embedding__isnull=False)
    return first | Q(next_embedder=embedder, next_embedding__isnull=False)


def forget_outdated(rows: QuerySet[Row], text_of: Callable[[Row], str]) -> int:
    """Deletes the vectors of up to a batch of rows whose text has changed, and stores the new hash.

    Returns the number of rows.
    """
    with transaction.atomic():
        outdated = rows.exclude(indexed_hash__startswith=INDEXED).select_for_update(of=("self",))
        changed = list(outdated.order_by("pk")[:BATCH])
        for row in changed:
            digest = text_hash(text_of(row))
            rows.model._default_manager.filter(pk=row.pk).update(indexed_hash=digest, **NO_VECTOR)
    return len(changed)


def embed_some(rows: QuerySet[Row], texts_of: Callable[[Row], Weighted], embedder: Embedder) -> int:
    """Embeds up to a batch of the rows without a vector of this embedder. Raises EmbedderFailed.

    Returns the number of rows tried. A row whose text has changed meanwhile is left as it is.
    """
    # No transaction is open while the embedder works: it may take seconds, and rows must not stay locked.
    batch = list(rows.exclude(carrying(embedder.name)).order_by("pk")[:BATCH])
    if batch:
        weighted = [texts_of(row) for row in batch]
        # All texts of the batch in one request.
        vectors = iter(embedder.embed_documents([text for texts in weighted for text, _ in texts]))
        sums = [_weighted_sum(texts, list(islice(vectors, len(texts)))) for texts in weighted]
        _write(batch, sums, embedder.name)
    return len(batch)


def _weighted_sum(texts: Weighted, vectors: Sequence[Numbers]) -> Numbers:
    """Returns the weighted sum of the vectors, scaled to the length 1."""
    weights = [weight for _, weight in texts]
    return _unit([sum(map(mul, weights, numbers)) for numbers in zip(*vectors, strict=True)])


def _unit(vector: Numbers) -> Numbers:
    length = hypot(*vector) or 1.0
    return [value / length for value in vector]


@transaction.atomic
def _write(batch: Sequence[Embedded], vectors: Sequence[Numbers], name: str) -> None:
    made = [
        (_column(row, name), row.pk, row.indexed_hash, Vector([*vector]).to_text())
        for row, vector in zip(batch, vectors, strict=True)
    ]
    with connection.cursor() as cursor:
        for column in {column for column, *_ in made}:
            values = zip(*(rest for each, *rest in made if each == column), strict=True)
            statement = _STORE.format(table=batch[0]._meta.db_table, column=column)
            cursor.execute(statement, [name, *map(list, values)])


def _column(row: Embedded, name: str) -> str:
    """Returns the prefix of the column for a vector of this embedder."""
    return "" if row.embedding is None or row.embedder == name else "next_"


def promote(rows: QuerySet[Row], embedder: str) -> int:
    """Moves vectors of this embedder from the second column to the first, once every row has one.

    Returns the number of rows moved.
    """
    if rows.exclude(carrying(embedder)).exists():
        return 0
    return rows.filter(next_embedder=embedder).update(
        embedding=F("next_embedding"), embedder=embedder, next_embedding=None, next_embedder=""
    )


def forget(rows: QuerySet[Row], embedder: str) -> None:
    """Deletes the vectors of this embedder."""
    rows.filter(embedder=embedder).update(embedding=None, embedder="")
    rows.filter(next_embedder=embedder).update(next_embedding=None, next_embedder="")
