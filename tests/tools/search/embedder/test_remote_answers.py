"""Wrong answers of an embeddings service."""

import asyncio

import pytest

from tests.tools.search.embedder.conftest import failure_of
from tests.tools.search.embedding_service import CANARY, REFUSAL, EmbeddingService, Reply, vectors
from tools.search.embedder import Embedder, EmbedderFailed, remote

POINTS_NOWHERE = "The embedder made a vector that points nowhere: it is zero, or not finite."
NO_VECTORS = "The embedder answered with something else than vectors."
NOT_THEIRS = "The embedder's vectors are not those of the texts that it was given."


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(429, REFUSAL), "The embedder limits the rate of requests (429)."),
        (Reply(500, REFUSAL), "The embedder failed (500)."),
        (Reply(401, REFUSAL), "The embedder did not accept EMBEDDING_API_KEY (401)."),
        (Reply(400, REFUSAL), "The embedder refused the request (400)."),
        (Reply(307, headers={"location": "/v1/embeddings"}), "The embedder refused the request (307)."),
        (Reply(body=CANARY.encode()), NO_VECTORS),
        (Reply(body=b'{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}'), NO_VECTORS),
        (Reply(body=[]), NO_VECTORS),
        (Reply(body={"data": None}), NO_VECTORS),
        (Reply(body={"data": [CANARY]}), NO_VECTORS),
        (Reply(body={"data": [{"index": [], "embedding": [1.0]}]}), NO_VECTORS),
        (Reply(body={"data": [{"index": 1, "embedding": [1.0]}]}), NOT_THEIRS),
        (vectors(), NOT_THEIRS),
        (vectors([1.0], [1.0]), NOT_THEIRS),
        (vectors(None), NO_VECTORS),
        (vectors("AACAPw=="), NO_VECTORS),
        (vectors([None, 1.0]), NO_VECTORS),
        (vectors([True, False]), NO_VECTORS),
        (vectors([[1.0], [2.0]]), NO_VECTORS),
        (vectors([]), "The embedder made a vector of 0 dimensions."),
        (vectors([1.0] * 16_001), "The embedder made a vector of 16,001 dimensions."),
        (vectors([0.0, 0.0]), POINTS_NOWHERE),
        (vectors([1e308] * 4), POINTS_NOWHERE),
        (vectors([10**400, 1]), NO_VECTORS),
        (Reply(body=b'{"data": [{"index": 0, "embedding": [1e400, 1.0]}]}'), None),
    ],
    ids=str,
)
async def test_a_wrong_answer_is_a_failure_with_a_reason(
    service: EmbeddingService, embedding: Embedder, reply: Reply, reason: str | None
) -> None:
    service.next = [reply]
    assert await failure_of(embedding) in ({NO_VECTORS, POINTS_NOWHERE} if reason is None else {reason})


async def test_vectors_of_several_sizes_are_refused(service: EmbeddingService, embedding: Embedder) -> None:
    service.next = [vectors([1.0, 0.0], [1.0])]
    assert await failure_of(embedding, "one", "two") == "The embedder made vectors of several sizes."


async def test_vectors_of_another_size_than_the_first_are_refused(
    service: EmbeddingService, embedding: Embedder
) -> None:
    service.next = [vectors([1.0, 0.0]), vectors([1.0, 0.0, 0.0]), vectors([0.0, 1.0])]
    await embedding.embed_query(["one"])
    reason = "The embedder made vectors of 3 dimensions, and of 2 before."
    assert await failure_of(embedding, "two") == reason
    assert await embedding.embed_query(["three"]) == [[0.0, 1.0]]
    service.next = [vectors([1.0, 0.0, 0.0])]
    with pytest.raises(EmbedderFailed, match="3 dimensions"):
        await asyncio.to_thread(embedding.embed_documents, ["four"])


async def test_an_endless_answer_is_cut_off(
    service: EmbeddingService, embedding: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_MOST_BYTES", 10_000)
    service.next = [Reply(body=b"[" * 20_000)]
    assert await failure_of(embedding) == "The embedder's answer is too large."
