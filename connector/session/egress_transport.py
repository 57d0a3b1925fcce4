"""The egress filter for the HTTP client of the MCP SDK: no request reaches an address that is not allowed."""

import ssl
from collections.abc import Mapping
from contextvars import ContextVar

import aiohttp
import httpx2
from multidict import CIMultiDict
from yarl import URL

from connector.session.http_client import Body, HttpClient, HttpRequest
from tools.outbound import egress

handed_over: ContextVar[list[aiohttp.ClientResponse]] = ContextVar("handed_over")
"""The answer to the next request of this task, which has been sent already: see `plain_posts`."""


class EgressFilteredTransport(httpx2.AsyncBaseTransport):
    """Resolves and checks a host at the first request, and connects to the checked addresses from then on.

    A name cannot lead elsewhere between check and connection (DNS rebinding), or later in the session. The
    next session has a transport of its own. Raises AddressRefused. `trust`: see HttpClient.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._http = HttpClient(trust)
        self._checked: dict[tuple[bytes, bytes, int | None], list[str]] = {}
        self._posted_to: dict[httpx2.URL, list[URL]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        waiting = handed_over.get([])
        response = waiting.pop() if waiting else await self._sent(request)
        return httpx2.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=Body(response),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": (response.reason or "").encode()},
        )

    async def post(
        self, url: httpx2.URL, headers: Mapping[str, str], body: bytes, timeout: httpx2.Timeout
    ) -> aiohttp.ClientResponse:
        """Posts without a request of httpx2. Raises what httpx2 raises."""
        if url not in self._posted_to:
            self._posted_to[url] = await self._addressed(url)
        limits = timeout.connect, timeout.read
        return await self._first(HttpRequest("POST", headers, body, _host(url), limits), self._posted_to[url])

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _sent(self, request: httpx2.Request) -> aiohttp.ClientResponse:
        headers = CIMultiDict(request.headers.multi_items())
        timeout = request.extensions.get("timeout", {})
        limits = timeout.get("connect"), timeout.get("read")
        outgoing = HttpRequest(request.method, headers, await request.aread(), _host(request.url), limits)
        return await self._first(outgoing, await self._addressed(request.url))

    async def _addressed(self, url: httpx2.URL) -> list[URL]:
        """Returns the URL with each of the host's addresses in the place of its name."""
        target = url.raw_scheme, url.raw_host, url.port
        if target not in self._checked:
            checked = await egress.addresses(egress.endpoint(str(url)))
            self._checked[target] = [str(address) for address in checked]
        plain = URL(str(url), encoded=True).with_user(None)
        return [plain.with_host(address) for address in self._checked[target]]

    async def _first(self, request: HttpRequest, addressed: list[URL]) -> aiohttp.ClientResponse:
        *others, last = addressed
        for address in others:
            try:
                return await self._http.send(request, address)
            # Nothing has been sent yet, so the next address is safe to try. Any other error may come after
            # the server has begun.
            except httpx2.ConnectError:
                continue
        return await self._http.send(request, last)


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode()
