"""Requests to an embeddings service, and its good answers."""

import asyncio
import math

import pytest
from pytest_django.fixtures import Settings

from tests.tools.search.embedder.conftest import at, failure_of
from tests.tools.search.embedding_service import CANARY, EmbeddingService, Reply, vectors
from tools.search import embedder
from tools.search.embedder import Embedder, caching
from tools.search.embedder.remote import Service


async def test_a_query_becomes_vectors_of_length_one(service: EmbeddingService, embedding: Embedder) -> None:
    service.next = [vectors([3.0, 4.0], [0, 2])]
    assert await embedding.embed_query(["one", "two"]) == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0.0, 1.0],
    ]
    assert service.bodies == [{"model": "tiny", "input": ["one", "two"], "encoding_format": "float"}]
    assert service.headers[0]["authorization"] == f"Bearer {CANARY}"
    assert embedding.dimensions == 2


async def test_without_a_key_none_is_sent(service: EmbeddingService) -> None:
    await at(service.url, api_key="").embed_query(["one"])
    assert "authorization" not in service.headers[0]


async def test_vectors_are_ordered_by_their_index(service: EmbeddingService, embedding: Embedder) -> None:
    data = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1.0, 0.0]}]
    service.next = [Reply(body={"data": data})]
    assert await embedding.embed_query(["one", "two"]) == [[1.0, 0.0], [0.0, 1.0]]


async def test_a_service_may_leave_the_index_out(service: EmbeddingService, embedding: Embedder) -> None:
    service.next = [Reply(body={"data": [{"embedding": [1.0, 0.0]}, {"embedding": [0.0, 1.0]}]})]
    assert await embedding.embed_query(["one", "two"]) == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("", "-"),
        (" \0\n", "-"),
        ("nul\0nul", "nul nul"),
        ("half a pair \ud83d", "half a pair ?"),
        ("🎉", "🎉"),
        ("x" * 100_000, "x" * 2_000),
    ],
)
async def test_any_text_is_made_fit_to_send(
    service: EmbeddingService, embedding: Embedder, text: str, sent: str
) -> None:
    await embedding.embed_query([text])
    await asyncio.to_thread(embedding.embed_documents, [text])
    assert [body["input"] for body in service.bodies] == [[sent], [sent]]


def test_documents_are_sent_in_batches_and_come_back_in_order(
    service: EmbeddingService, embedding: Embedder
) -> None:
    made = embedding.embed_documents(["x" * (number + 1) for number in range(70)])
    assert [len(body["input"]) for body in service.bodies] == [32, 32, 6]
    assert made == [[pytest.approx(v) for v in unit(number + 1.0, 1.0, 0.0)] for number in range(70)]


def unit(*values: float) -> list[float]:
    return [value / math.hypot(*values) for value in values]


async def test_no_request_is_sent_for_no_text(service: EmbeddingService, embedding: Embedder) -> None:
    assert await embedding.embed_query([]) == []
    assert await asyncio.to_thread(embedding.embed_documents, []) == []
    assert not service.bodies


async def test_a_text_is_sent_once(service: EmbeddingService, embedding: Embedder) -> None:
    first = await embedding.embed_query(["one", "three", "one"])
    assert await embedding.embed_query(["three", "fifteen"]) == [
        first[1],
        [pytest.approx(value) for value in unit(7.0, 1.0, 0.0)],
    ]
    assert [body["input"] for body in service.bodies] == [["one", "three"], ["fifteen"]]


async def test_only_the_last_texts_are_cached(
    service: EmbeddingService, embedding: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "MOST_CACHED", 2)
    for text in ["one", "two", "one", "three", "one", "two"]:
        await embedding.embed_query([text])
    assert [body["input"] for body in service.bodies] == [["one"], ["two"], ["three"], ["two"]]


async def test_a_failure_is_not_cached(service: EmbeddingService, embedding: Embedder) -> None:
    service.next = [Reply(500)]
    await failure_of(embedding, "one")
    assert await embedding.embed_query(["one"])


async def test_the_settings_choose_the_service(service: EmbeddingService, settings: Settings) -> None:
    settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = service.url, "large"
    settings.EMBEDDING_API_KEY = CANARY
    active = embedder.active()
    assert active is not None
    assert active is embedder.active()
    assert active.name == f"large@{service.url.removeprefix('http://')}"
    async with embedder.lifespan():
        for number in range(3):
            await active.embed_query([f"{number}"])
    assert len(service.connections) == 1
    await active.embed_query(["another"])
    await asyncio.to_thread(asyncio.run, active.embed_query(["in another event loop"]))
    assert len(service.connections) == 3
    assert {headers["authorization"] for headers in service.headers} == {f"Bearer {CANARY}"}


@pytest.mark.parametrize("missing", ["EMBEDDING_BASE_URL", "EMBEDDING_MODEL"])
async def test_a_service_without_a_model_is_only_for_callers_who_name_one(
    settings: Settings, missing: str
) -> None:
    settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = "http://127.0.0.1:9/v1", "large"
    setattr(settings, missing, "")
    active = embedder.active()
    assert active is not None
    assert active.name == "minilm-l6-v2"
    async with embedder.lifespan():
        pass


def named(url: str, model: str) -> str:
    return Service(url, model).name


def test_a_name_belongs_to_one_model_at_one_address() -> None:
    names = {
        named(url, model)
        for url in (
            "http://a.example/v1",
            "http://b.example/v1",
            "http://a.example:81/v1",
            "http://a.example/v2",
        )
        for model in ("small", "large", "x" * 200 + "1", "x" * 200 + "2")
    }
    assert len(names) == 16
    assert max(map(len, names)) == 128
    assert named("http://user:password@a.example/v1", "small") == named("https://a.example/v1", "small")
