"""Who may have the metrics: anybody on this machine, or, where METRICS_TOKEN is set, whoever sends it."""

import hmac
import ipaddress
from collections.abc import Mapping

from django.conf import settings

_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def refusal(headers: Mapping[str, str], address: str) -> str:
    """Returns why a caller is given nothing; "" for one who may have the metrics.

    `headers` are those of the request, whatever their case; `address` is the other end of the connection.
    """
    if expected := settings.METRICS_TOKEN:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        # As bytes: compare_digest raises TypeError for text that is not ASCII.
        is_right = hmac.compare_digest(given.strip().encode(), expected.encode())
        return "" if is_right and scheme.lower() == "bearer" else "Send METRICS_TOKEN as a bearer token."
    if _is_local(headers, address):
        return ""
    return "From other machines METRICS_TOKEN is needed, and it is not set here."


def _is_local(headers: Mapping[str, str], address: str) -> bool:
    """Whether a program on this machine asks, and no proxy or web page on behalf of another."""
    host = headers.get("Host", "").rpartition(":")
    name = host[0] if host[0] and host[2].isdecimal() else "".join(host)
    is_forwarded = any(header in headers for header in _FORWARDED)
    return name in _LOCAL_NAMES and not is_forwarded and _is_loopback(address)


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
