"""HTTP to the LLMs: one client for all runs of the process, with deadlines, retries and a limit on crowds."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aiohttp
from django.conf import settings
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from assistants.agent.llm import sse
from assistants.agent.llm.completion import DONE
from assistants.agent.llm.errors import TransientFailure, status_failure
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed
from core.bounded_read import BodyTooLarge, read_at_most
from core.retries import backoff, log_retry
from tools.outbound.http import guarded_connector

log = logging.getLogger(__name__)

MAX_CALLS_PER_UPSTREAM = 100
RETRIES = 2
LONGEST_PAUSE_S = 5.0
_FIRST_PAUSE_S = 0.25
_LINGER_S = 0.25
_REFUSAL_BYTES = 64 * 1024


class Upstream:
    """The LLM services, behind one connection pool."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._calls: Counter[str] = Counter()

    async def stream(self, endpoint: Endpoint, body: bytes) -> AsyncGenerator[list[bytes], None]:
        """POST a chat completion; the payloads of its answer, as many at a time as came in one read.

        Raises UpstreamFailed, also between payloads. Retries only while nothing of an answer has come.
        """
        with self._place(endpoint.base_url), _failures():
            async with await self._open(endpoint, body) as response:
                if "json" in response.content_type:
                    yield [await read_at_most(response, sse.MAX_EVENT_BYTES)]
                    return
                async for payloads in sse.payloads(response.content.iter_any()):
                    yield payloads
                    if payloads[-1] == DONE:
                        break
                await _drain(response)

    @contextmanager
    def _place(self, base_url: str) -> Iterator[None]:
        """A hanging service must not take the process down with it: beyond the limit a call fails at once."""
        if self._calls[base_url] >= MAX_CALLS_PER_UPSTREAM:
            message = "Too many requests are waiting for the language model. Try again later."
            raise UpstreamFailed("overloaded", message, retry_after=1)
        self._calls[base_url] += 1
        try:
            yield
        finally:
            self._calls[base_url] -= 1

    async def _open(self, endpoint: Endpoint, body: bytes) -> aiohttp.ClientResponse:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientFailure),
            wait=backoff(_FIRST_PAUSE_S),
            stop=_must_stop,
            before_sleep=log_retry(log, "the language model"),
            reraise=True,
        )
        return await retrying(self._attempt, endpoint, body)

    async def _attempt(self, endpoint: Endpoint, body: bytes) -> aiohttp.ClientResponse:
        """An answer with status 200. Raises TransientFailure where another attempt may help."""
        try:
            response = await self._session.post(
                f"{endpoint.base_url}/chat/completions",
                data=body,
                headers=_headers(endpoint),
                allow_redirects=False,
            )
        except TimeoutError:
            raise
        except aiohttp.ClientConnectionError as error:
            raise _unreachable() from error
        if response.status == 200:
            return response
        log.warning("The service of model %s answered with status %d.", endpoint.model, response.status)
        async with response:
            body = await _refusal(response)
            raise status_failure(response.status, response.headers, body)


@asynccontextmanager
async def connected() -> AsyncIterator[Upstream]:
    """An Upstream for as long as the context lasts, for the event loop that it is entered in."""
    connector = guarded_connector(exempt=[settings.OPENAI_BASE_URL], limit=0, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=settings.LLM_CONNECT_TIMEOUT_S, sock_read=settings.LLM_READ_TIMEOUT_S
    )
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Upstream(session)


def _must_stop(state: RetryCallState) -> bool:
    """A caller waits, so a service that asks for more patience than LONGEST_PAUSE_S is not asked again."""
    return state.attempt_number > RETRIES or state.upcoming_sleep > LONGEST_PAUSE_S


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
    }
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    return headers


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        message = "The language model's service did not answer in time."
        raise UpstreamFailed("upstream_timeout", message) from error
    except BodyTooLarge as error:
        raise UpstreamFailed(
            "upstream_invalid_response", "The language model's answer is too large."
        ) from error
    except (aiohttp.ClientError, ValueError) as error:  # ValueError: an address or key that HTTP cannot carry
        log.warning("The connection to the language model failed: %s", type(error).__name__)
        raise UpstreamFailed(
            "upstream_error", "The connection to the language model's service broke."
        ) from error


def _unreachable() -> TransientFailure:
    return TransientFailure("upstream_error", "The language model's service cannot be reached.")


async def _refusal(response: aiohttp.ClientResponse) -> bytes:
    """Returns the body, or nothing where it is long: the error pages of proxies hold no error code."""
    try:
        return await read_at_most(response, _REFUSAL_BYTES)
    except BodyTooLarge:
        return b""


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what follows the last payload: only a response read to its end leaves its connection usable."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while await response.content.readany():
                pass
