"""The egress filter for aiohttp."""

import socket
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tools.outbound import egress
from tools.outbound.addresses import Address, literal
from tools.outbound.egress import OPERATORS, AddressRefused, Endpoint, PrivateHosts


def filtered_connector(
    *, exempt: Collection[str] = (), private_hosts: PrivateHosts = OPERATORS, **options: Any
) -> aiohttp.TCPConnector:
    """Returns a connector, for the running loop, that connects to allowed addresses only, on redirects too.

    `exempt`: URLs whose host and port may be private (the LLM service that the environment names), beside
    those that `private_hosts` lists. A refused request raises aiohttp.ClientConnectorError, whose `os_error`
    is an AddressRefused.
    """
    return _FilteredConnector(frozenset(map(egress.endpoint, exempt)), private_hosts, **options)


class _FilteredConnector(aiohttp.TCPConnector):
    def __init__(self, exempt: Collection[Endpoint], private_hosts: PrivateHosts, **options: Any) -> None:
        self._allowed: dict[str, Any] = {"exempt": exempt, "private_hosts": private_hosts}
        super().__init__(resolver=_FilteredResolver(self._allowed), **options)

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """Checks addresses in URLs: aiohttp asks its resolver for names only."""
        try:
            if address := literal(req.url.raw_host):
                target = Endpoint(str(address), req.url.port)
                egress.require_all_allowed(target, [address], **self._allowed)
        except ValueError as error:
            raise aiohttp.InvalidUrlClientError(req.url.origin(), "an unusual IP address") from error
        except AddressRefused as refusal:
            raise aiohttp.ClientConnectorError(req.connection_key, refusal) from refusal
        return await super().connect(req, traces, timeout)


class _FilteredResolver(AbstractResolver):
    def __init__(self, allowed: Mapping[str, Any]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        target = Endpoint(host.lower().removesuffix("."), port)
        found = await egress.addresses(target, **self._allowed)
        results = [_result(host, port, address) for address in found]
        return [result for result in results if family in {socket.AF_UNSPEC, result["family"]}]

    async def close(self) -> None:
        """Nothing to close: it holds no connection."""


def _result(hostname: str, port: int, address: Address) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return ResolveResult(
        hostname=hostname, host=str(address), port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
