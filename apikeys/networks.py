"""The networks from which a key may be used."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse(networks: Iterable[str]) -> tuple[Network, ...]:
    """Returns networks from CIDR notation. Raises ValueError for text that is no IPv4 or IPv6 network."""
    return tuple(ip_network(network) for network in networks)


def allow(networks: Collection[Network], address: str) -> bool:
    """Returns whether `address` is in one of the networks. Without networks every address is allowed."""
    if not networks:
        return True
    try:
        caller = ip_address(address)
    except ValueError:
        return False  # empty, or the path of a unix socket
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped  # how a socket for both families reports IPv4 addresses
    return any(caller in network for network in networks)
