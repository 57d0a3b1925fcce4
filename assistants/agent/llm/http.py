"""HTTP to LLM services: one connection pool for all runs of the process, with time-outs and retries."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from io import BytesIO

import aiohttp
from django.conf import settings

from assistants.agent.llm.errors import TransientFailure, status_failure
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed
from core.bounded_read import BodyTooLarge, read_at_most
from core.message import Message
from core.retries import pause_s
from tools.outbound.http import filtered_connector

log = logging.getLogger(__name__)

MAX_CALLS_PER_UPSTREAM = 100
RETRIES = 2
LONGEST_PAUSE_S = 5.0
_FIRST_PAUSE_S = 0.25
_DRAIN_S = 0.25
_ERROR_BODY_BYTES = 64 * 1024


class ConnectionPool:
    """Connections to LLM services, which one request after the other uses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._calls: Counter[str] = Counter()

    @asynccontextmanager
    async def post(self, endpoint: Endpoint, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        """POST a chat completion. Yields a response of status 200, for the block to read.

        Raises UpstreamFailed, also for what breaks while the block reads. Only the request is tried again:
        of an answer that has begun a caller may have seen a part.
        """
        with self._permit(endpoint.base_url), _failures():
            async with await self._send_with_retries(endpoint, body) as response:
                yield response
                await _drain(response)

    @contextmanager
    def _permit(self, base_url: str) -> Iterator[None]:
        """Admit at most MAX_CALLS_PER_UPSTREAM calls to a service at a time, and refuse the others at once.

        A service that hangs would otherwise collect requests until the process has no memory left.
        """
        if self._calls[base_url] >= MAX_CALLS_PER_UPSTREAM:
            message = Message("Too many requests are waiting for the language model. Try again later.")
            raise UpstreamFailed("overloaded", message, retry_after=1)
        self._calls[base_url] += 1
        try:
            yield
        finally:
            self._calls[base_url] -= 1

    async def _send_with_retries(self, endpoint: Endpoint, body: bytes) -> aiohttp.ClientResponse:
        for attempt in range(1, RETRIES + 1):
            try:
                return await self._send(endpoint, body)
            except TransientFailure as failure:
                seconds = pause_s(failure, attempt, first_s=_FIRST_PAUSE_S)
                if seconds > LONGEST_PAUSE_S:  # so long the service asks for, and no caller waits
                    raise
                log.info("Asking the language model again in %.1f s: %s", seconds, failure)
            await asyncio.sleep(seconds)
        return await self._send(endpoint, body)

    async def _send(self, endpoint: Endpoint, body: bytes) -> aiohttp.ClientResponse:
        """Returns a response of status 200. Raises TransientFailure where another attempt may help."""
        try:
            response = await self._session.post(
                f"{endpoint.base_url}/chat/completions",
                data=BytesIO(body),  # in pieces: as bytes it would go into the socket's buffer at once
                headers=_headers(endpoint),
                # A redirect would send the key to an address that nobody entered.
                allow_redirects=False,
            )
        except TimeoutError:
            # aiohttp's time-outs are ClientConnectionErrors too. No attempt more: the caller has waited
            # already.
            raise
        except aiohttp.ClientConnectionError as error:
            raise _unreachable() from error
        except ValueError as error:  # an address or a key that HTTP cannot carry
            raise _broken(error) from error
        if response.status == 200:
            return response
        log.warning("The service of model %s answered with status %d.", endpoint.model, response.status)
        async with response:
            raise status_failure(response.status, response.headers, await _error_body(response))


@asynccontextmanager
async def connection_pool() -> AsyncIterator[ConnectionPool]:
    """Opens a pool for the event loop that it is entered in, for as long as the context lasts."""
    # No limit of its own (limit=0): aiohttp would queue requests beyond it, where _permit refuses them at
    # once.
    connector = filtered_connector(exempt=[settings.OPENAI_BASE_URL], limit=0, keepalive_timeout=30)
    # No total: a long answer is fine as long as something comes. The run as a whole has RUN_DEADLINE_S.
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=settings.LLM_CONNECT_TIMEOUT_S, sock_read=settings.LLM_READ_TIMEOUT_S
    )
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield ConnectionPool(session)


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        # A proxy that compresses a stream collects it first.
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
        message = Message("The language model's service did not answer in time.")
        raise UpstreamFailed("upstream_timeout", message) from error
    except BodyTooLarge as error:
        raise UpstreamFailed(
            "upstream_invalid_response", Message("The language model's answer is too large.")
        ) from error
    except aiohttp.ClientError as error:
        raise _broken(error) from error


def _unreachable() -> TransientFailure:
    return TransientFailure("upstream_error", Message("The language model's service cannot be reached."))


def _broken(error: Exception) -> UpstreamFailed:
    # The type alone: the text may quote a header, and so the key.
    log.warning("The connection to the language model failed: %s", type(error).__name__)
    return UpstreamFailed("upstream_error", Message("The connection to the language model's service broke."))


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    """Returns the body, or nothing where it is long: the error pages of proxies hold no error code."""
    try:
        return await read_at_most(response, _ERROR_BODY_BYTES)
    except BodyTooLarge:
        return b""


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what follows the last payload: aiohttp reuses a connection only after its response's end."""
    if response.content.at_eof():
        return
    # Not for long: some services hold the stream open after [DONE], and the caller waits for this.
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            while await response.content.readany():
                pass
