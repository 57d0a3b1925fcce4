"""The lexical side of the index: BM25 vectors of tools, and word counts of servers. It needs no embedder."""

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
MOST_TERMS = 700
"""Terms of a tool that are indexed, those of the largest weight.

At 8 bytes each they fit into a row with everything else, outside of which reading takes longer: see the
migration.
"""


def pending() -> ToolFunctionQuerySet:
    """Returns the tools whose present text is not indexed, and removed ones that are still in the index."""
    return ToolFunction.objects.exclude(indexed_hash__startswith=INDEXED)


@transaction.atomic
def index_some() -> int:
    """Indexes up to a batch of tools, and deletes the vectors of their former texts.

    Returns the number of tools indexed. Rows that another process has locked are left to it.
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
        words=_sparse_vector(text) if present else None,
        indexed_hash=text_hash(repr(text)),
        **NO_VECTOR,
    )


def _sparse_vector(text: Document) -> SparseVector:
    vector = bm25.document_vector(text)
    heaviest = sorted(vector.items(), key=lambda term: -term[1])[:MOST_TERMS]
    return SparseVector(dict(heaviest), bm25.DIMENSIONS)


def recount(server_ids: Iterable[int]) -> None:
    """Counts the words of these servers anew: adding and subtracting changes would drift."""
    # By id: two processes that lock the same servers in two orders would deadlock.
    for server in MCPTool.objects.filter(pk__in=server_ids).select_for_update(of=("self",)).order_by("pk"):
        counts = _count(server)
        server.word_counts.all().delete()
        WordCount.objects.bulk_create(
            WordCount(server=server, word=word, functions=functions) for word, functions in counts.items()
        )


def _count(server: MCPTool) -> Counter[int]:
    counts: Counter[int] = Counter()
    for words in server.functions.values_list("words", flat=True):
        if words is not None:
            counts.update(words.indices())
            counts[WordCount.EVERY] += 1
    return counts
