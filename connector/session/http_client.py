"""Sends the requests of httpx2, which the MCP SDK makes, by aiohttp: at a fifth of the processor time.

See docs/decisions/0028.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import cache
from ipaddress import IPv4Address, IPv6Address

import aiohttp
import httpx2
from multidict import CIMultiDict
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


class HttpClient:
    """Connections of one session. It follows no redirect, and keeps no cookie: httpx2 does, where it may.

    `trust`: the certificates to trust; those of httpx2 by default.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: httpx2.Request, address: IPv4Address | IPv6Address) -> httpx2.Response:
        """Connects to an address; the Host header and the certificate are still the name's.

        Raises what httpx2 raises.
        """
        url = URL(str(request.url), encoded=True).with_user(None).with_host(str(address))
        limits = request.extensions.get("timeout", {})
        try:
            response = await self._opened().request(
                request.method,
                url,
                data=await request.aread() or None,
                headers=CIMultiDict(request.headers.multi_items()),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=limits.get("connect"), sock_read=limits.get("read")
                ),
                allow_redirects=False,
                ssl=self._trusted() if url.scheme == "https" else True,
                server_hostname=request.url.raw_host.decode() if url.scheme == "https" else None,
            )
        except (aiohttp.ClientError, ValueError) as error:
            raise _translated(error, request) from error
        return httpx2.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_Body(response, request),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": (response.reason or "").encode()},
        )

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


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, request: httpx2.Request) -> None:
        self._response = response
        self._request = request
        self._is_broken = False

    # No generator: the SDK leaves a stream where the answer was, and asyncio ends each generator by a task.
    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._response.content.readany()
        except (aiohttp.ClientError, ValueError) as error:
            self._is_broken = True
            raise _translated(error, self._request) from error
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


def _translated(error: Exception, request: httpx2.Request) -> httpx2.TransportError:
    kind = next(theirs for ours, theirs in _ERRORS if isinstance(error, ours))
    return kind(str(error), request=request)


@cache
def _default_trust() -> ssl.SSLContext:
    context = httpx2.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
