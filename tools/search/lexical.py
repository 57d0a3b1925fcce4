"""The words of functions, and how many functions have them: the side of the index that needs no embedder."""

from collections import Counter
from collections.abc import Iterable

from django.db import transaction
from pgvector import SparseVector

from tools.models import MCPTool, ToolFunction, ToolFunctionQuerySet, WordCount
from tools.search import bm25
from tools.search.documents import INDEXED, document, text_hash
from tools.search.text import Document
from tools.search.vectors import NO_VECTOR

BATCH = 100
MOST_WORDS = 700
"""As many as fit into a row with all else (8 bytes each, see the migration). The weightiest stay."""


def pending() -> ToolFunctionQuerySet:
    """Functions whose text is not indexed as it is now, and those that are gone but not from the index."""
    return ToolFunction.objects.exclude(indexed_hash__startswith=INDEXED)


@transaction.atomic
def index_some() -> int:
    """Index up to a batch of functions, and forget the vectors of what they were. How many it were.

    Rows that another process is at are left to it.
    """
    rows = pending().select_for_update(skip_locked=True, of=("self",)).select_related("server")
    functions = list(rows.defer("output_schema", "replaced", "embedding", "next_embedding", "words")[:BATCH])
    for function in functions:
        _index(function)
    recount({function.server_id for function in functions})
    return len(functions)


def _index(function: ToolFunction) -> None:
    text = document(function)
    present = function.removed_at is None
    ToolFunction.objects.filter(pk=function.pk).update(
        words=_words(text) if present else None,
        indexed_hash=text_hash(repr(text)),
        **NO_VECTOR,
    )


def _words(text: Document) -> SparseVector:
    vector = bm25.document_vector(text)
    weightiest = sorted(vector.items(), key=lambda word: -word[1])[:MOST_WORDS]
    return SparseVector(dict(weightiest), bm25.DIMENSIONS)


def recount(server_ids: Iterable[int]) -> None:
    """Count the words of these servers anew. A sum of changes would drift."""
    for server in MCPTool.objects.filter(pk__in=server_ids).select_for_update(of=("self",)).order_by("pk"):
        counts = _counted(server)
        server.word_counts.all().delete()
        WordCount.objects.bulk_create(
            WordCount(server=server, word=word, functions=functions) for word, functions in counts.items()
        )


def _counted(server: MCPTool) -> Counter[int]:
    counts: Counter[int] = Counter()
    for words in server.functions.values_list("words", flat=True):
        if words is not None:
            counts.update(words.indices())
            counts[WordCount.EVERY] += 1
    return counts
