"""Vectors of whatever is `Embedded`, and the change from one embedder to another without a gap.

A row has two places. Vectors of another embedder than the stored one are written into the second place;
searches read the place that carries the name of their own embedder. When none is missing any more, the
second takes the first place.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from math import hypot
from operator import mul
from typing import TypeVar

from django.db import transaction
from django.db.models import F, Q, QuerySet

from tools.models import Embedded
from tools.search.documents import INDEXED, text_hash
from tools.search.embedder import Embedder

BATCH = 32
NO_VECTOR = {"embedding": None, "embedder": "", "next_embedding": None, "next_embedder": ""}
Row = TypeVar("Row", bound=Embedded)
Vector = Sequence[float]
Weighted = Sequence[tuple[str, float]]
"""Texts, and how much each counts."""


def carrying(embedder: str) -> Q:
    """Rows with a vector of this embedder."""
    first = Q(embedder=embedder, embedding__isnull=False)
    return first | Q(next_embedder=embedder, next_embedding__isnull=False)


def forget_outdated(rows: QuerySet[Row], text_of: Callable[[Row], str]) -> int:
    """Take their vectors from those whose text has changed, and note the new one. How many it were."""
    with transaction.atomic():
        outdated = rows.exclude(indexed_hash__startswith=INDEXED).select_for_update(of=("self",))
        changed = list(outdated.order_by("pk")[:BATCH])
        for row in changed:
            digest = text_hash(text_of(row))
            rows.model._default_manager.filter(pk=row.pk).update(indexed_hash=digest, **NO_VECTOR)
    return len(changed)


def embed_some(rows: QuerySet[Row], texts_of: Callable[[Row], Weighted], embedder: Embedder) -> int:
    """Give up to a batch of these rows the vector of its texts. How many were tried. Raises EmbedderFailed.

    A row whose text has changed meanwhile is left as it is.
    """
    batch = list(rows.exclude(carrying(embedder.name)).order_by("pk")[:BATCH])
    if batch:
        told = [texts_of(row) for row in batch]
        vectors = iter(embedder.embed_documents([text for texts in told for text, _ in texts]))
        _write(batch, [_joint(texts, list(islice(vectors, len(texts)))) for texts in told], embedder.name)
    return len(batch)


def _joint(texts: Weighted, vectors: Sequence[Vector]) -> Vector:
    """Their weighted sum, brought to the length 1."""
    weights = [weight for _, weight in texts]
    return _unit([sum(map(mul, weights, numbers)) for numbers in zip(*vectors, strict=True)])


def _unit(vector: Vector) -> Vector:
    length = hypot(*vector) or 1.0
    return [value / length for value in vector]


@transaction.atomic
def _write(batch: Sequence[Embedded], vectors: Sequence[Vector], name: str) -> None:
    for row, vector in zip(batch, vectors, strict=True):
        is_first = row.embedding is None or row.embedder == name
        place = "" if is_first else "next_"
        unchanged = type(row)._default_manager.filter(pk=row.pk, indexed_hash=row.indexed_hash)
        unchanged.update(**{f"{place}embedding": vector, f"{place}embedder": name})


def promote(rows: QuerySet[Row], embedder: str) -> int:
    """Where every row has a vector of this embedder: give those in the second place the first."""
    if rows.exclude(carrying(embedder)).exists():
        return 0
    return rows.filter(next_embedder=embedder).update(
        embedding=F("next_embedding"), embedder=embedder, next_embedding=None, next_embedder=""
    )


def forget(rows: QuerySet[Row], embedder: str) -> None:
    rows.filter(embedder=embedder).update(embedding=None, embedder="")
    rows.filter(next_embedder=embedder).update(next_embedding=None, next_embedder="")
