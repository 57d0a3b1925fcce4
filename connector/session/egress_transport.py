"""The egress filter for the HTTP client of the MCP SDK: no request reaches an address that is not allowed."""

import ssl

import httpx2

from connector.session.http_client import HttpClient
from tools.outbound import egress
from tools.outbound.addresses import Address


class EgressFilteredTransport(httpx2.AsyncBaseTransport):
    """Resolves and checks a host at the first request, and connects to the checked addresses from then on.

    A name cannot lead elsewhere between check and connection (DNS rebinding), or later in the session. The
    next session has a transport of its own. Raises AddressRefused. `trust`: see HttpClient.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._http = HttpClient(trust)
        self._checked: dict[tuple[bytes, bytes, int | None], list[Address]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        target = url.raw_scheme, url.raw_host, url.port
        if target not in self._checked:
            self._checked[target] = await egress.addresses(egress.endpoint(str(url)))
        *others, last = self._checked[target]
        for address in others:
            try:
                return await self._http.send(request, address)
            # Nothing has been sent yet, so the next address is safe to try. Any other error may come after
            # the server has begun.
            except httpx2.ConnectError:
                continue
        return await self._http.send(request, last)

    async def aclose(self) -> None:
        await self._http.aclose()
