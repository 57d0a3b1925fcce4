"""Embedders make vectors of texts: the service that the settings name, or else MiniLM in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from django.conf import settings

from tools.search.embedder import minilm, remote
from tools.search.embedder.caching import CachingEmbedder
from tools.search.embedder.contract import Embedder, EmbedderFailed

__all__ = ["Embedder", "EmbedderFailed", "active", "lifespan"]


def active() -> Embedder | None:
    """Returns the embedder of the settings; None if they name no service and MiniLM is not installed."""
    return _embedder(_service())


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Shares connections to the service in this event loop. Without it every query opens one."""
    if service := _service():
        async with remote.shared_connections(service):
            yield
    else:
        yield


def _service() -> remote.Service | None:
    """Returns None without a model: such a service only serves callers of /v1/embeddings, who name one."""
    if not (settings.EMBEDDING_BASE_URL and settings.EMBEDDING_MODEL):
        return None
    return remote.Service(
        settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL, api_key=settings.EMBEDDING_API_KEY
    )


@cache
def _embedder(service: remote.Service | None) -> Embedder | None:
    if service:
        return CachingEmbedder(remote.Remote(service))
    return CachingEmbedder(minilm.MiniLM()) if minilm.is_installed() else None
