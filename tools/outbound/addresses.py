"""Classification of IP addresses: public, private, or a cloud's metadata service. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, OpenStack
            "169.254.170.2",  # AWS: credentials of containers
            "169.254.170.23",
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure, and a public address
            "192.0.0.192",  # Oracle
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",  # Google
        ),
    )
)
"""Services that give a cloud's machines their credentials."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def literal(host: str) -> Address | None:
    """Returns the address that a URL's host spells, None for a name.

    Raises ValueError for an IPv4 address in any form but four decimal numbers: one library takes it for a
    name, another reads it as octal, hexadecimal or short for 127.0.0.1 (WHATWG URL: "ends in a number").
    """
    if ":" in host:
        return IPv6Address(host)
    last = host.removesuffix(".").rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        return IPv4Address(host)
    return None


def is_public(address: Address) -> bool:
    """Returns whether the address is on the public Internet, as far as its registries say."""
    address = _reached(address)
    # Python counts IPv6 addresses outside the one allocated block as global, too.
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not is_metadata(address)


def is_metadata(address: Address) -> bool:
    return _reached(address) in METADATA


def _reached(address: Address) -> Address:
    """Returns the IPv4 address that an IPv6 address leads to: mapped, 6to4 (RFC 3056) or NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address
