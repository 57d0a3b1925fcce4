"""The egress filter: no address that people give us to connect to leads into our own network.

A URL is checked when it is saved (`require_allowed`), and again for each connection, which is made to an
address that was just checked: a name may resolve differently the second time (DNS rebinding). A host and port
listed in ALLOWED_PRIVATE_HOSTS may be private, but never a cloud's metadata service.
"""

import asyncio
import re
import socket
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError

from core.message import Message, told
from tools.outbound.addresses import Address, is_metadata, is_public, literal

RESOLVE_AT_SAVE_S = 2.0
RESOLVE_S = 5.0
_PORTS = {"http": 80, "https": 443}
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?")
_AMBIGUOUS = re.compile(r"[\s\\\x00-\x1f\x7f]")
_resolvers = ThreadPoolExecutor(4, thread_name_prefix="resolve-at-save")


PrivateHosts = Literal["ALLOWED_PRIVATE_HOSTS", "IMAGE_PRIVATE_HOSTS"]
"""The setting that lists the private hosts of a purpose."""
OPERATORS: PrivateHosts = "ALLOWED_PRIVATE_HOSTS"
"""For addresses from who may manage. What such hosts offer must not be reached by every caller, too."""
CALLERS: PrivateHosts = "IMAGE_PRIVATE_HOSTS"
"""For addresses that callers of assistants send."""


class AddressRefused(OSError):
    """An address must not be connected to. The text is for people; of the URL it names host and port only."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The target of a connection.

    `host`: a lower-case name without a dot at its end, or an address in its shortest form.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint(url: str) -> Endpoint:
    """Returns the target of a URL. Raises AddressRefused if libraries could disagree about it."""
    # Parsers differ on these: one takes `http://a\\@b` for the host a, another for b.
    if _AMBIGUOUS.search(url):
        raise AddressRefused(Message("An address holds neither spaces nor backslashes."))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may hold credentials
        raise AddressRefused(Message("The host or the port of the address is malformed.")) from None
    if parts.scheme not in _PORTS or not host:
        raise AddressRefused(Message("Give an address that starts with http:// or https://."))
    return Endpoint(_host(host), _PORTS[parts.scheme] if port is None else port)


def require_allowed(url: str) -> None:
    """Checks a URL that is to be saved. Raises ValidationError with the code `url_not_allowed`.

    A name that cannot be resolved now passes, because it is checked again for each connection.
    """
    try:
        target = endpoint(url)
        require_all_allowed(target, _resolve_at_save(target))
    except AddressRefused as refusal:
        raise ValidationError(told(refusal).said(), code="url_not_allowed") from refusal


async def addresses(
    target: Endpoint, *, exempt: Collection[Endpoint] = (), private_hosts: PrivateHosts = OPERATORS
) -> list[Address]:
    """Returns the addresses to connect to instead of the name. Raises AddressRefused; OSError if unknown."""
    spelled = literal(target.host)
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = [spelled] if spelled else await _resolve(target)
    except TimeoutError as error:
        raise OSError(f"{target.host} was not resolved within {RESOLVE_S:g} s.") from error
    require_all_allowed(target, found, exempt=exempt, private_hosts=private_hosts)
    return found


def require_all_allowed(
    target: Endpoint,
    found: Iterable[Address],
    *,
    exempt: Collection[Endpoint] = (),
    private_hosts: PrivateHosts = OPERATORS,
) -> None:
    """Raises AddressRefused if one of the addresses `found` for the target must not be connected to."""
    # One is enough: a client tries all of them.
    for address in found:
        if is_metadata(address):
            raise AddressRefused(
                Message(
                    "%(target)s is a cloud's metadata service, which is never called.", target=str(target)
                )
            )
        if not is_public(address) and target not in exempt and target not in listed(private_hosts):
            raise AddressRefused(
                Message(
                    "%(target)s is not on the public Internet. To use it, list %(target)s in %(setting)s.",
                    target=str(target),
                    setting=private_hosts,
                )
            )


def listed(private_hosts: PrivateHosts) -> set[Endpoint]:
    """Returns the targets in this setting. Raises ImproperlyConfigured."""
    try:
        return {_listed(entry) for entry in getattr(settings, private_hosts)}
    except (ValueError, AddressRefused) as error:
        message = f"{private_hosts} must list host:port, separated by commas: localhost:8080,[::1]:8080."
        raise ImproperlyConfigured(message) from error


def _listed(entry: str) -> Endpoint:
    parts = urlsplit(f"//{entry}")
    if parts.port is None or parts.netloc != entry:
        raise ValueError(entry)
    return endpoint(f"http://{entry}")


def _host(host: str) -> str:
    try:
        address = literal(host)
    except ValueError:
        message = Message("Write an IP address as four decimal numbers, or as IPv6 in brackets.")
        raise AddressRefused(message) from None
    if address is not None:
        return str(address)
    if not _NAME.fullmatch(host):
        raise AddressRefused(
            Message("Write the host's name in ASCII: an international one in its xn-- form.")
        )
    return host.removesuffix(".")


def _resolve_at_save(target: Endpoint) -> list[Address]:
    """Returns no addresses if the name does not exist or its name servers are slow: a person waits."""
    if spelled := literal(target.host):
        return [spelled]
    try:
        # In a thread, because getaddrinfo has no time-out: a slow one goes on there, and nobody waits.
        answer = _resolvers.submit(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
        return _found(info[4][0] for info in answer.result(RESOLVE_AT_SAVE_S))
    except OSError:
        return []


async def _resolve(target: Endpoint) -> list[Address]:
    # The system's own resolver in every loop: uvloop's is another one.
    look_up = partial(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
    answer = await asyncio.get_running_loop().run_in_executor(None, look_up)
    return _found(info[4][0] for info in answer)


def _found(texts: Iterable[object]) -> list[Address]:
    return list(dict.fromkeys(ip_address(str(text)) for text in texts))
