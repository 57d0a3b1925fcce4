"""Changes of a server, whose secrets come masked from people, and stay with the host that they are for."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from tools import references
from tools.models import ConnectionType, MCPTool
from tools.secrets.encryption import Unreadable
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
    if "url" not in errors and _moves(server, values):
        if server.headers and _keeps(changes, "headers"):
            errors["headers"] = GIVE_AGAIN
        if server.env and _sends_variables(server, values) and _keeps(changes, "env"):
            errors["env"] = GIVE_AGAIN
    if errors:
        raise ValidationError(errors)
    for name, value in values.items():
        setattr(server, name, value)


def is_same_host(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return _origin(one) == _origin(other)


def _moves(server: MCPTool, values: Mapping[str, Any]) -> bool:
    url, env = values.get("url", server.url), values.get("env", server.variables)
    if isinstance(url, Unreadable):  # new variables may be a part of its host
        return server.connection_type != ConnectionType.STDIO and isinstance(values.get("env"), Mapping)
    env = {} if isinstance(env, Unreadable) else env
    if not isinstance(url, str) or not isinstance(env, Mapping):  # which is refused elsewhere
        return False
    return bool(url) and not is_same_host(server.address, references.fill(url, env)[0])


def _keeps(changes: Mapping[str, Any], name: str) -> bool:
    """Whether values that are stored under this field stay, since they come masked or not at all."""
    values = changes.get(name, {"": MASK})
    return isinstance(values, Mapping) and MASK in values.values()


def _sends_variables(server: MCPTool, values: Mapping[str, Any]) -> bool:
    """Whether the server's host is sent variables: its address or headers refer to them."""
    url, headers = values.get("url", server.url), values.get("headers", server.headers)
    if isinstance(headers, Unreadable):
        return True
    texts = [url, *(headers.values() if isinstance(headers, Mapping) else [])]
    return any(references.names(text) for text in texts if isinstance(text, str))


def _origin(url: Any) -> tuple[str, str, int | None] | None:
    if isinstance(url, Unreadable):  # another than any that can be read
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").rstrip("."), port
    except (ValueError, TypeError, AttributeError):  # malformed, which is refused elsewhere
        return None
