"""Sends the requests of httpx2, which the MCP SDK makes, by aiohttp: at a fifth of the processor time.

See docs/decisions/0028.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cache

import aiohttp
import httpx2
from yarl import URL

KEEP_ALIVE_S = 4.0
"""Servers often close an idle connection after 5 s, and a request that crosses that is lost."""
DRAIN_S = 0.5
"""So long after its answer a stream may take to end: its connection serves the next request then."""
HEADER_LIMIT = 65_536
_ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ServerTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx2.ReadError),
    (aiohttp.ClientError, httpx2.RemoteProtocolError),
    (ValueError, httpx2.LocalProtocolError),  # a header that cannot be sent
)
"""The first that fits says what aiohttp's error is to callers of httpx2."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request. Its Host header is in `headers`; `host`: whose certificate is wanted.

    `limits`: seconds to connect and between two reads; None: no limit.
    """

    method: str
    headers: Mapping[str, str]
    body: bytes
    host: str
    limits: tuple[float | None, float | None]


class HttpClient:
    """Connections of one session. It follows no redirect, and keeps no cookie: httpx2 does, where it may.

    `trust`: the certificates to trust; those of httpx2 by default.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: HttpRequest, address: URL) -> aiohttp.ClientResponse:
        """Sends to the address in the place of the host's name. Raises what httpx2 raises."""
        is_encrypted = address.scheme == "https"
        connect_s, read_s = request.limits
        try:
            return await self._opened().request(
                request.method,
                address,
                data=request.body or None,
                headers=request.headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=read_s),
                allow_redirects=False,
                ssl=self._trusted() if is_encrypted else True,
                server_hostname=request.host if is_encrypted else None,
            )
        except (aiohttp.ClientError, ValueError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _trusted(self) -> ssl.SSLContext:
        return self._trust or _default_trust()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
                auto_decompress=False,
                max_line_size=HEADER_LIMIT,
                max_field_size=HEADER_LIMIT,
            )
        return self._session


class Body(httpx2.AsyncByteStream):
    """The body of an answer, in the pieces that come."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._is_broken = False

    # No generator: the SDK leaves a stream where the answer was, and asyncio ends each generator by a task.
    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._response.content.readany()
        except (aiohttp.ClientError, ValueError) as error:
            self._is_broken = True
            raise _translated(error) from error
        except asyncio.CancelledError:
            self._is_broken = True
            raise
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Closes the connection: at once if the reader was cancelled, else if the end does not come soon."""
        if self._is_broken:
            self._response.close()
        elif not self._response.closed:
            # aiohttp gives the connection back as soon as the end has come.
            asyncio.get_running_loop().call_later(DRAIN_S, self._response.close)


def _translated(error: Exception) -> httpx2.TransportError:
    kind = next(theirs for ours, theirs in _ERRORS if isinstance(error, ours))
    return kind(str(error))


@cache
def _default_trust() -> ssl.SSLContext:
    context = httpx2.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
