"""Import of servers from the `mcpServers` JSON of MCP clients, and export to it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction

from core.actor import Actor
from core.errors import Conflict
from tools import actions
from tools.models import ConnectionType, MCPTool
from tools.secrets import extraction
from tools.secrets.extraction import SecretLocation, Settings

_TYPES = {
    "stdio": ConnectionType.STDIO,
    "sse": ConnectionType.SSE,
    "http": ConnectionType.STREAMABLE_HTTP,
    "streamable-http": ConnectionType.STREAMABLE_HTTP,
    "streamable_http": ConnectionType.STREAMABLE_HTTP,
    "streamablehttp": ConnectionType.STREAMABLE_HTTP,
}
_EXPORTED_TYPES = {ConnectionType.SSE: "sse", ConnectionType.STREAMABLE_HTTP: "http"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One server in a client's file. `ignored`: names of its settings that have no meaning here."""

    type: str = ""
    command: str = ""
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    disabled: bool = False
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """A registered server. `secrets`: found, and stored encrypted; `missing`: needed before it can run."""

    mcp_tool: MCPTool
    secrets: list[SecretLocation]
    missing: list[SecretLocation]
    warnings: list[str]


@transaction.atomic
def register_all(entries: Mapping[str, Entry], *, by: Actor) -> list[Imported]:
    """Registers all servers or none. Raises Conflict, or ValidationError with the errors of all servers."""
    imported: list[Imported] = []
    errors: dict[str, list[str]] = {}
    for name, entry in entries.items():
        try:
            imported.append(_register(name, entry, by))
        except ValidationError as error:
            errors |= {f"{name}.{key}": messages for key, messages in error.message_dict.items()}
        except Conflict as conflict:
            raise Conflict(f"{name}: {conflict.detail}", "already_taken") from conflict
    if errors:
        raise ValidationError(errors)
    return imported


def exported(server: MCPTool) -> dict[str, Any]:
    """Returns a server as `mcpServers` JSON, with `${NAME}` for each variable and header."""
    shown = {name: each.masked(getattr(server, name)) for name, each in MCPTool.secret_fields().items()}
    if server.connection_type == ConnectionType.STDIO:
        return {"command": server.command, "args": shown["args"], "env": _placeholders(server.env)}
    kind = _EXPORTED_TYPES[ConnectionType(server.connection_type)]
    return {"type": kind, "url": shown["url"], "headers": _placeholders(server.headers)}


def _register(name: str, entry: Entry, by: Actor) -> Imported:
    settings, extracted = _settings(entry)
    missing = extraction.find_missing(settings)
    server = actions.register(
        by=by,
        name=name,
        connection_type=_connection_type(entry),
        command=settings.command,
        args=list(settings.args),
        env=dict(settings.env),
        url=settings.url,
        headers=dict(settings.headers),
        is_enabled=not entry.disabled and not missing,
        takes_masks=True,
    )
    warnings = extraction.find_warnings(settings)
    if entry.ignored:
        warnings.append(f"Ignored: {', '.join(entry.ignored)}.")
    return Imported(server, extracted + extraction.find_secrets(settings), missing, warnings)


def _settings(entry: Entry) -> tuple[Settings, list[SecretLocation]]:
    """Returns an entry's settings, and the location of credentials that were moved out of its URL.

    They become a header, as HTTP clients would send them (RFC 7617).
    """
    url, headers = entry.url, entry.headers
    user, at = _credentials(url)
    if at:
        url = url.replace(f"{user}@", "", 1)
        credentials = base64.b64encode(unquote(user).encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"} | headers
    extracted = [SecretLocation("url", "credentials")] if at else []
    return Settings(entry.command, entry.args, entry.env, url, headers), extracted


def _credentials(url: str) -> tuple[str, str]:
    """Returns the part of a URL before its `@`, and the `@`; both empty without credentials."""
    try:
        user, at, _ = urlsplit(url).netloc.rpartition("@") if url.startswith("http") else ("", "", "")
    except ValueError:  # malformed, which is refused when the server is registered
        return "", ""
    return user, at


def _connection_type(entry: Entry) -> str:
    """Returns the entry's type; else a command means stdio, and a URL ending in /sse the older transport."""
    if entry.type:
        kind = _TYPES.get(entry.type.lower())
        if kind is None:
            raise ValidationError({"type": f"There is no transport {entry.type[:32]!r}."})
        return kind
    if not entry.url:
        return ConnectionType.STDIO
    is_older = entry.url.partition("?")[0].rstrip("/").endswith("/sse")
    return ConnectionType.SSE if is_older else ConnectionType.STREAMABLE_HTTP


def _placeholders(secrets: Mapping[str, str]) -> dict[str, str]:
    return {name: f"${{{name.upper().replace('-', '_')}}}" for name in secrets}
