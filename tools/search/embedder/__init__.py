"""Texts become vectors: at the service that the settings name, or else in this process, by MiniLM."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from django.conf import settings

from tools.search.embedder import minilm, remote
from tools.search.embedder.contract import Embedder, EmbedderFailed
from tools.search.embedder.remembering import Remembering

__all__ = ["Embedder", "EmbedderFailed", "active", "lifespan"]


def active() -> Embedder | None:
    """The embedder of the settings. None: they name no service, and MiniLM is not installed."""
    return _embedder(_service())


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """For processes that search often. Without it every query opens a connection to the service."""
    if service := _service():
        async with remote.connections_kept(service):
            yield
    else:
        yield


def _service() -> remote.Service | None:
    """Without a model it serves those callers alone who name one: see assistants/embeddings."""
    if not (settings.EMBEDDING_BASE_URL and settings.EMBEDDING_MODEL):
        return None
    return remote.Service(
        settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL, api_key=settings.EMBEDDING_API_KEY
    )


@cache
def _embedder(service: remote.Service | None) -> Embedder | None:
    if service:
        return Remembering(remote.Remote(service))
    return Remembering(minilm.MiniLM()) if minilm.is_installed() else None
