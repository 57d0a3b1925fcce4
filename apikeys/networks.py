"""Where a key may be used from."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse(networks: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no IPv4 or IPv6 network in CIDR notation."""
    return tuple(ip_network(network) for network in networks)


def allow(networks: Collection[Network], address: str) -> bool:
    """Whether a caller at `address` is in one of the networks. Without networks everybody is."""
    if not networks:
        return True
    try:
        caller = ip_address(address)
    except ValueError:
        return False  # a unix socket, or nothing that a network could hold
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped  # how a socket for both families tells of IPv4
    return any(caller in network for network in networks)
