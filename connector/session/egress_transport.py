"""The egress filter for the HTTP client of the MCP SDK: no request reaches an address that is not allowed."""

import httpx2

from tools.outbound import egress
from tools.outbound.addresses import Address
from tools.outbound.egress import Endpoint


class EgressFilteredTransport(httpx2.AsyncBaseTransport):
    """Resolves and checks a host at the first request, and connects to the checked addresses from then on.

    A name cannot lead elsewhere between check and connection (DNS rebinding), or later in the session. The
    next session has a transport of its own. Raises AddressRefused.
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
                return await self._inner.handle_async_request(_sent_to(address, request, target))
            # Nothing has been sent yet, so the next address is safe to try. Any other error may come after
            # the server has begun.
            except httpx2.ConnectError:
                continue
        return await self._inner.handle_async_request(_sent_to(last, request, target))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _sent_to(address: Address, request: httpx2.Request, target: Endpoint) -> httpx2.Request:
    """Returns the same request for an address; its Host header and its certificate are still the name's."""
    extensions = dict(request.extensions)
    if target.host != str(address):
        # httpcore checks the certificate against this name instead of the address in the URL.
        extensions["sni_hostname"] = target.host
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )
