"""What the headers of a request say: whether its page may send it, and in the stateless era what it is."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from starlette.datastructures import Headers
from starlette.types import Scope

from assistants.mcp_endpoint.messages import Request
from assistants.mcp_endpoint.protocol import (
    CAPABILITIES_META,
    HEADER_MISMATCH,
    INVALID_REQUEST,
    STATELESS_VERSIONS,
    UNSUPPORTED_VERSION,
    VERSION_META,
    RpcError,
    invalid_params,
)

VERSION, METHOD, NAME, SESSION = "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"
END_USER = "x-end-user"
_ROUTING = (VERSION, METHOD, NAME)
_NAMED: Mapping[str, str] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""By method, the parameter that the header `Mcp-Name` repeats."""
_JSON, _EVENTS = "application/json", "text/event-stream"


def of(scope: Scope) -> Headers:
    """Returns the headers of a request. The web server leaves the space that may follow a value."""
    return Headers(raw=[(name, value.strip(b" \t")) for name, value in scope["headers"]])


def require_known_origin(headers: Headers) -> None:
    """Raises RpcError (403) for pages of other sites: their scripts reach servers by DNS rebinding.

    A page may ask if CORS_ORIGINS has its origin, or if it is one of ours.
    """
    host = headers.get("host", "")
    domain, _ = split_domain_port(host)
    if not validate_host(domain, settings.ALLOWED_HOSTS):
        message = "This server does not go by the name in the Host header. ALLOWED_HOSTS lists its names."
        raise RpcError(INVALID_REQUEST, message, status=403)
    origin = headers.get("origin")
    if origin is None or origin in settings.CORS_ALLOWED_ORIGINS or _host_of(origin) == host:
        return
    message = "Pages of this origin may not use the server. CORS_ORIGINS lists those that may."
    raise RpcError(INVALID_REQUEST, message, status=403)


def _host_of(origin: str) -> str | None:
    """Returns host and port of an origin; None if it cannot be read, such as `http://[`."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def require_acceptable(headers: Headers, *kinds: str) -> None:
    """Raises RpcError (406) if the client accepts none of what it would be answered with."""
    accepted = headers.get("accept", "*/*").lower()
    for kind in kinds or (_JSON, _EVENTS):
        if not any(each in accepted for each in (kind, "*/*", f"{kind.partition('/')[0]}/*")):
            message = f"Send 'Accept: {', '.join(kinds or (_JSON, _EVENTS))}'."
            raise RpcError(INVALID_REQUEST, message, status=406)


def require_events(headers: Headers) -> None:
    """Raises RpcError (406) if the client does not accept a stream of events."""
    require_acceptable(headers, _EVENTS)


def is_stateless(headers: Headers, request: Any) -> bool:
    """Whether a message is of the stateless era: its header or its `_meta` says so, never its method."""
    if isinstance(request, Request) and VERSION_META in request.meta:
        return True
    return headers.get(VERSION, "") in STATELESS_VERSIONS


def require_envelope(headers: Headers, request: Request) -> None:
    """Raises RpcError unless `_meta` and headers are those of a request of the stateless era, and agree.

    The order of the checks is that of the specification: a client that disagrees with itself is told so,
    before it is told that a version is not supported.
    """
    for name in (VERSION_META, CAPABILITIES_META):
        if name not in request.meta:
            raise invalid_params(f'"params._meta" must have {name!r}.')
    version = request.meta[VERSION_META]
    for name in _ROUTING:
        if len(headers.getlist(name)) > 1:
            raise _mismatch(f"The header {name} is there more than once.")
    if headers.get(VERSION) != version:
        raise _mismatch("The header MCP-Protocol-Version is missing, or differs from the version in _meta.")
    if headers.get(METHOD) != request.method:
        raise _mismatch("The header Mcp-Method is missing, or differs from the method.")
    named = request.params.get(_NAMED.get(request.method, ""))
    if named is not None and decoded(headers.get(NAME)) != named:
        raise _mismatch("The header Mcp-Name is missing, or differs from what is asked for.")
    if version not in STATELESS_VERSIONS:
        data = {"supported": list(STATELESS_VERSIONS), "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
    if not isinstance(request.meta[CAPABILITIES_META], dict):
        raise invalid_params(f'"params._meta.{CAPABILITIES_META}" must be an object.')


def decoded(value: str | None) -> str | None:
    """Returns a header's text, which may be `=?base64?..?=`. None if it is missing or no valid base64."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    payload = value[len("=?base64?") : -len("?=")]
    try:
        raw = base64.b64decode(payload, validate=True)
        text = raw.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if base64.b64encode(raw).decode() == payload else None


def require_equal_parameters(headers: Headers, schema: Mapping[str, Any], arguments: Any) -> None:
    """Raises RpcError unless the headers `Mcp-Param-*` repeat the arguments that a schema has them repeat.

    A property has `x-mcp-header` with the rest of the header's name. Proxies decide by these headers.
    """
    for path, name in _repeated(schema, ()):
        value: Any = arguments
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        sent = headers.getlist(f"mcp-param-{name}")
        if len(sent) > 1 or (decoded(sent[0]) if sent else None) != _as_text(value):
            raise _mismatch(f"The header Mcp-Param-{name} differs from the argument {'.'.join(path)!r}.")


def _repeated(schema: Any, path: Sequence[str]) -> list[tuple[tuple[str, ...], str]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    found: list[tuple[tuple[str, ...], str]] = []
    for name, inner in properties.items() if isinstance(properties, dict) and len(path) < 8 else ():
        if isinstance(inner, dict):
            if isinstance(header := inner.get("x-mcp-header"), str):
                found.append(((*path, name), header))
            found += _repeated(inner, (*path, name))
    return found


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _mismatch(message: str) -> RpcError:
    return RpcError(HEADER_MISMATCH, message)
