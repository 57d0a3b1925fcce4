"""The embedder for callers: their embeddings request is sent to it, and its answer goes back to them."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp
import orjson
from django.conf import settings

from assistants.agent.llm.errors import status_failure
from assistants.errors import NoEmbedder, UpstreamFailed
from core.bounded_read import BodyTooLarge, read_at_most
from core.message import Message
from tools.outbound.http import filtered_connector

MOST_BYTES = 64 * 1024 * 1024
_MOST_PARSED = 1024 * 1024
_EDGE = 4 * 1024  # bytes at both ends of a larger answer: there its usage is
_TOKENS = re.compile(rb'"total_tokens"\s*:\s*(\d{1,12})')
_ERROR_BODY_BYTES = 64 * 1024

_session: aiohttp.ClientSession | None = None


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """The embedder can be asked, in this event loop, for as long as the context lasts."""
    global _session  # noqa: PLW0603 - one connection pool a process
    exempt = [settings.EMBEDDING_BASE_URL] if settings.EMBEDDING_BASE_URL else []
    timeout = aiohttp.ClientTimeout(
        total=settings.LLM_READ_TIMEOUT_S, sock_connect=settings.LLM_CONNECT_TIMEOUT_S
    )
    async with aiohttp.ClientSession(
        connector=filtered_connector(exempt=exempt), timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as _session:
        try:
            yield
        finally:
            _session = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The embedder's answer, as JSON, and the tokens that it reports; 0 if it reports none."""

    json: bytes
    tokens: int


async def embed(request: Mapping[str, Any]) -> Embeddings:
    """Returns the embedder's answer to an OpenAI embeddings request. Raises NoEmbedder and UpstreamFailed."""
    if not settings.EMBEDDING_BASE_URL:
        raise NoEmbedder
    if _session is None:
        raise RuntimeError("Embeddings need assistants.agent.llm.embeddings.lifespan().")
    try:
        return await _post(_session, request)
    except TimeoutError as error:
        raise UpstreamFailed("upstream_timeout", Message("The embedder did not answer in time.")) from error
    except BodyTooLarge as error:
        raise UpstreamFailed(
            "upstream_invalid_response", Message("The embedder's answer is too large.")
        ) from error
    except aiohttp.ClientError as error:
        raise UpstreamFailed("upstream_error", Message("The embedder cannot be reached.")) from error


async def _post(session: aiohttp.ClientSession, request: Mapping[str, Any]) -> Embeddings:
    key = settings.EMBEDDING_API_KEY
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    body = orjson.dumps({**request, "model": settings.EMBEDDING_MODEL or request["model"]})
    url = f"{settings.EMBEDDING_BASE_URL}/embeddings"
    # A redirect would send the key to an address that nobody entered.
    async with session.post(url, data=BytesIO(body), headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            # One read is enough: all that counts of the body is its error code.
            error_body = await response.content.read(_ERROR_BODY_BYTES)
            raise status_failure(response.status, response.headers, error_body)
        return _checked(await read_at_most(response, MOST_BYTES))


def _checked(data: bytes) -> Embeddings:
    if len(data) > _MOST_PARSED:
        # To parse millions of numbers would block the event loop, in whatever thread, for a tenth of a
        # second.
        if not (data[:_EDGE].lstrip().startswith(b"{") and data[-_EDGE:].rstrip().endswith(b"}")):
            raise _invalid_answer()
        reported = _TOKENS.search(data[-_EDGE:]) or _TOKENS.search(data[:_EDGE])
        return Embeddings(data, int(reported[1]) if reported else 0)
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise _invalid_answer()
    usage = answer.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else 0
    return Embeddings(orjson.dumps(answer), max(tokens, 0) if isinstance(tokens, int) else 0)


def _invalid_answer() -> UpstreamFailed:
    return UpstreamFailed(
        "upstream_invalid_response", Message("The embedder did not answer with embeddings.")
    )
