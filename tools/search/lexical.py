"""The lexical side of the index: BM25 vectors of tools, and word counts of servers. It needs no embedder."""

from collections.abc import Collection, Sequence

from django.db import connection, transaction
from pgvector import SparseVector

from tools.models import MCPTool, ToolFunction, ToolFunctionQuerySet, WordCount
from tools.search import bm25
from tools.search.documents import INDEXED, document, text_hash
from tools.search.text import Document

BATCH = 100
MOST_TERMS = 700
"""Terms of a tool that are indexed, those of the largest weight.

At 8 bytes each they fit into a row with everything else, outside of which reading takes longer: see the
migration.
"""
# One statement for a batch: one for each row takes as long as to make its words.
_STORE = """
    UPDATE tools_toolfunction SET words = indexed.words, indexed_hash = indexed.hash,
        embedding = NULL, embedder = '', next_embedding = NULL, next_embedder = ''
    FROM unnest(%s::bigint[], %s::text[]::sparsevec[], %s::text[]) AS indexed(id, words, hash)
    WHERE tools_toolfunction.id = indexed.id"""
# pgvector shows a sparse vector as {dimension:value,...}/dimensions, dimensions from 1.
_COUNT = f"""
    WITH indexed AS (
        SELECT server_id, words FROM tools_toolfunction WHERE server_id = ANY(%s) AND words IS NOT NULL
    )
    INSERT INTO tools_wordcount (server_id, word, functions)
    SELECT server_id, split_part(term, ':', 1)::int - 1, count(*)
    FROM indexed, string_to_table(btrim(split_part(words::text, '/', 1), '{{}}'), ',') AS term GROUP BY 1, 2
    UNION ALL SELECT server_id, {WordCount.EVERY}, count(*) FROM indexed GROUP BY 1"""  # noqa: S608 - a constant


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
    if functions:
        _index(functions)
        recount({function.server_id for function in functions})
    return len(functions)


def _index(functions: Sequence[ToolFunction]) -> None:
    texts = [document(function) for function in functions]
    words = [
        _sparse_vector(text).to_text() if function.removed_at is None else None
        for function, text in zip(functions, texts, strict=True)
    ]
    ids, hashes = [function.pk for function in functions], [text_hash(repr(text)) for text in texts]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [ids, words, hashes])


def _sparse_vector(text: Document) -> SparseVector:
    vector = bm25.document_vector(text)
    heaviest = sorted(vector.items(), key=lambda term: -term[1])[:MOST_TERMS]
    return SparseVector(dict(heaviest), bm25.DIMENSIONS)


def recount(server_ids: Collection[int]) -> None:
    """Counts the words of these servers anew: adding and subtracting changes would drift."""
    # By id: two processes that lock the same servers in two orders would deadlock.
    servers = MCPTool.objects.filter(pk__in=server_ids).select_for_update(of=("self",)).order_by("pk")
    locked = list(servers.values_list("pk", flat=True))
    WordCount.objects.filter(server__in=locked).delete()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [locked])
