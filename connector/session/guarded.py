"""The outbound guard for the HTTP client of the MCP SDK."""

import httpx2

from tools.outbound import egress
from tools.outbound.addresses import Address
from tools.outbound.egress import Endpoint


class GuardedTransport(httpx2.AsyncBaseTransport):
    """A host is resolved and checked at the first request, and reached by what was checked from then on.

    That holds for a session: the next one has a transport of its own. Raises AddressRefused.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self._checked: dict[Endpoint, list[Address]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        target = egress.endpoint(str(request.url))
        if target not in self._checked:
            self._checked[target] = await egress.addresses(target)
        *others, last = self._checked[target]
        for address in others:
            try:
                return await self._inner.handle_async_request(_readdressed(request, target, address))
            except httpx2.ConnectError:  # nothing was sent
                continue
        return await self._inner.handle_async_request(_readdressed(request, target, last))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _readdressed(request: httpx2.Request, target: Endpoint, address: Address) -> httpx2.Request:
    """The same request, sent to the address; the Host header and the certificate are still the name's."""
    extensions = dict(request.extensions)
    if target.host != str(address):
        extensions["sni_hostname"] = target.host
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )
