"""The egress filter for httpx, which vendors' SDKs use: no request reaches an address that is not allowed."""

import importlib
from collections.abc import Collection
from typing import Any

from tools.outbound import egress
from tools.outbound.egress import Endpoint


class EgressFilteredTransport:
    """Connects to addresses that were just checked: a name may resolve differently the second time.

    A transport of httpx, by its methods alone: httpx comes with the SDKs and is no dependency of ours.
    `exempt` may be private. Raises AddressRefused.
    """

    def __init__(self, exempt: Collection[Endpoint]) -> None:
        httpx = importlib.import_module("httpx")
        self._http = httpx.AsyncHTTPTransport()
        self._connect_error = httpx.ConnectError
        self._exempt = exempt

    async def handle_async_request(self, request: Any) -> Any:
        url = request.url
        *others, last = await egress.addresses(egress.endpoint(str(url)), exempt=self._exempt)
        # The certificate is still that of the name, and so is the header Host, which is set already.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        for address in others:
            request.url = url.copy_with(host=str(address))
            try:
                return await self._http.handle_async_request(request)
            except self._connect_error:  # nothing has been sent
                continue
        request.url = url.copy_with(host=str(last))
        return await self._http.handle_async_request(request)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> "EgressFilteredTransport":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
