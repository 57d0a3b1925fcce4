"""An embedder whose service is a stand-in over real HTTP."""

import traceback
from collections.abc import Iterator

import pytest

from tests.tools.search.embedding_service import CANARY, EmbeddingService, serving
from tools.search.embedder import Embedder, EmbedderFailed
from tools.search.embedder.caching import CachingEmbedder
from tools.search.embedder.remote import Remote, Service


@pytest.fixture
def service() -> Iterator[EmbeddingService]:
    with serving() as service:
        yield service


@pytest.fixture
def embedding(service: EmbeddingService) -> Embedder:
    return at(service.url)


def at(url: str, *, model: str = "tiny", api_key: str = CANARY) -> CachingEmbedder:
    return CachingEmbedder(Remote(Service(url, model, api_key)))


async def failure_of(embedding: Embedder, *texts: str) -> str:
    with pytest.raises(EmbedderFailed) as failed:
        await embedding.embed_query(texts or ["a request"])
    assert CANARY not in "".join(traceback.format_exception(failed.value))
    return failed.value.reason
