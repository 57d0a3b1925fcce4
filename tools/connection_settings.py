"""Changes of a server, whose secrets come masked from people, and stay with the host that they are for."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from tools.models import MCPTool
from tools.secrets.masking import MASK

_PORTS = {"http": 80, "https": 443}
GIVE_AGAIN = "Give it again, the secret parts too: the address is on another host."


def apply(server: MCPTool, changes: Mapping[str, Any]) -> None:
    """Sets fields of a row, which holds what is stored. A masked secret stays as it is stored.

    Raises ValidationError by field. A header that is stored never follows its server to another host
    (scheme, host and port): whoever may change the address would read it there.
    """
    errors: dict[str, Any] = {}
    values = dict(changes)
    for name, field in MCPTool.secret_fields().items():
        if name in changes:
            try:
                values[name] = field.unmasked(changes[name], getattr(server, name))
            except ValidationError as error:
                errors[name] = error
    if "url" not in errors and _moves(server, values) and server.headers and _keeps_headers(changes):
        errors["headers"] = GIVE_AGAIN
    if errors:
        raise ValidationError(errors)
    for name, value in values.items():
        setattr(server, name, value)


def is_same_host(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return _origin(one) == _origin(other)


def _moves(server: MCPTool, values: Mapping[str, Any]) -> bool:
    url = values.get("url", server.url)
    return bool(url) and not is_same_host(server.url, url)


def _keeps_headers(changes: Mapping[str, Any]) -> bool:
    headers = changes.get("headers", {"": MASK})
    return isinstance(headers, Mapping) and MASK in headers.values()


def _origin(url: Any) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").rstrip("."), port
    except (ValueError, TypeError, AttributeError):  # malformed, which is refused elsewhere
        return None
