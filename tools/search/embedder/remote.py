"""The embedder that is a service with OpenAI's embeddings protocol."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import orjson
from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay

from core.bounded_read import BodyTooLarge, read_at_most
from core.circuit_breaker import CircuitBreaker, CircuitOpen
from core.retries import backoff, log_retry
from tools.outbound.http import filtered_connector
from tools.search.embedder import answers
from tools.search.embedder.contract import EmbedderFailed, TooSlow, TransientFailure

log = logging.getLogger(__name__)

BATCH = 32  # texts in a request: as many as the most modest services take
RETRY_FOR_S = 20.0  # a batch of documents; the index is resumed later anyway
_ATTEMPT_S = 20.0
_CONNECT_S = 3.0
_FIRST_PAUSE_S = 0.5
_MOST_BYTES = 32 * 1024 * 1024
_LONGEST_NAME = 128
REST_S = 5.0  # before the next attempt at a service that failed three times in a row
_SLOW_S = 0.5  # a query that a caller gives up after this long counts as a failure of the service
_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}


@dataclass(frozen=True, slots=True)
class Service:
    """The address of a service, its model and our key."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The model and the address without credentials; long ones end in a hash of the whole."""
        parts = urlsplit(self.base_url)
        name = f"{self.model}@{parts.netloc.rpartition('@')[2]}{parts.path}"
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 17]}~{digest}"


class Remote:
    """Queries are tried once, documents again and again for a while: nobody waits for them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._breaker = CircuitBreaker(trips_on=(TransientFailure,), rest_s=REST_S, slow_s=_SLOW_S)
        self.name = service.name
        self.dimensions: int | None = None

    async def embed_query(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            with self._breaker.protect():
                async with _session(self._service) as session:
                    return await self._attempt(session, texts)
        except CircuitOpen as refusal:
            raise EmbedderFailed(str(refusal.last or TooSlow())) from None

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return asyncio.run(self._embed_all(texts))

    async def _embed_all(self, texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = []
        async with _session(self._service) as session:
            for start in range(0, len(texts), BATCH):
                vectors += await self._with_retries(session, texts[start : start + BATCH])
        return vectors

    async def _with_retries(self, session: aiohttp.ClientSession, texts: Sequence[str]) -> list[list[float]]:
        """Repeats the attempt after each transient failure for as long as RETRY_FOR_S allows."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientFailure),
            wait=backoff(_FIRST_PAUSE_S),
            stop=stop_before_delay(RETRY_FOR_S),
            before_sleep=log_retry(log, "the embedder"),
            reraise=True,
        )
        return await retrying(self._attempt, session, texts)

    async def _attempt(self, session: aiohttp.ClientSession, texts: Sequence[str]) -> list[list[float]]:
        with _failures():
            vectors = answers.vectors(await _request(session, self._service, texts), len(texts))
        if self.dimensions not in {None, len(vectors[0])}:
            sizes = f"{len(vectors[0])} dimensions, and of {self.dimensions} before"
            raise EmbedderFailed(f"The embedder made vectors of {sizes}.")
        self.dimensions = len(vectors[0])
        return vectors


@asynccontextmanager
async def shared_connections(service: Service) -> AsyncIterator[None]:
    """Inside the block the requests of this event loop share connections."""
    loop = asyncio.get_running_loop()
    async with _new_session(service) as session:
        _sessions[loop] = session
        try:
            yield
        finally:
            del _sessions[loop]


@asynccontextmanager
async def _session(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    if shared := _sessions.get(asyncio.get_running_loop()):
        yield shared
    else:
        async with _new_session(service) as session:
            yield session


def _new_session(service: Service) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=filtered_connector(exempt=[service.base_url], keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(total=_ATTEMPT_S, sock_connect=_CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _request(session: aiohttp.ClientSession, service: Service, texts: Sequence[str]) -> bytes:
    headers = {"Content-Type": "application/json"}
    if service.api_key:
        headers["Authorization"] = f"Bearer {service.api_key}"
    body = orjson.dumps({"model": service.model, "input": list(texts), "encoding_format": "float"})
    url = f"{service.base_url}/embeddings"
    # No redirects: the key would go to an address that nobody has given us.
    async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            raise answers.failure(response.status, response.headers)
        try:
            return await read_at_most(response, _MOST_BYTES)
        except BodyTooLarge:
            raise EmbedderFailed("The embedder's answer is too large.") from None


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise TooSlow from error
    except aiohttp.ClientConnectionError as error:
        raise TransientFailure("The embedder cannot be reached.") from error
    except (aiohttp.ClientError, ValueError) as error:  # ValueError: a key that HTTP cannot carry
        raise TransientFailure("The connection to the embedder broke.") from error
