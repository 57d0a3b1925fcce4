"""The files of MCP clients: where each keeps its servers, and the prompts that VS Code has for secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

MOST_SERVERS = 100
PLACES = {
    "mcpServers": "Claude Desktop, Claude Code, Cursor, Windsurf, Cline, Gemini CLI, LibreChat, Continue",
    "servers": "VS Code",
    "context_servers": "Zed",
}
"""The keys under which clients keep their servers."""
_NESTED = (("mcp", "servers"), ("mcp", "mcpServers"), ("experimental", "modelContextProtocolServers"))
_MARKS = {"command", "url", "serverUrl", "httpUrl", "transport"}
"""Settings of which each server has one."""


@dataclass(frozen=True, slots=True)
class Document:
    """`servers`: as written, by name; `prompts`: what VS Code asks for, by the id in `${input:id}`."""

    servers: Mapping[str, Any]
    prompts: Mapping[str, str]


def find_servers(file: Mapping[str, Any], *, most: int = MOST_SERVERS) -> Document:
    """Returns the servers of a client's file, without its other settings. Raises ValidationError by key."""
    servers: dict[str, Any] = {}
    for key, found in _places(file):
        servers |= _by_name(key, found)
    servers = servers or _unlabelled(file)
    if not servers:
        raise ValidationError({"mcpServers": gettext("Give at least one server.")})
    if len(servers) > most:
        raise ValidationError({"mcpServers": gettext("Give up to %d servers at once.") % most})
    return Document(servers, dict(_prompts(file)))


def _places(file: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for *outer, key in (*_NESTED, *((place,) for place in PLACES)):
        inside: Any = file
        for name in outer:
            inside = inside.get(name)
            inside = inside if isinstance(inside, Mapping) else {}
        if inside.get(key) is not None:
            yield key, inside[key]


def _by_name(key: str, servers: Any) -> dict[str, Any]:
    if isinstance(servers, Mapping):
        return {str(name): server for name, server in servers.items()}
    if isinstance(servers, list):  # Continue's
        return {_name(server, number): server for number, server in enumerate(servers, 1)}
    raise ValidationError({key: gettext("Give the servers as an object, by name.")})


def _unlabelled(file: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the servers of a file that has them at its top, as many a README does, or one alone."""
    if file.keys() & _MARKS:
        return {_name(file, 1): file}
    is_server = [isinstance(each, Mapping) and bool(each.keys() & _MARKS) for each in file.values()]
    return {str(name): server for name, server in file.items()} if is_server and all(is_server) else {}


def _name(server: Any, number: int) -> str:
    """Returns the name that a server has in itself, or else one made of its package or host."""
    if not isinstance(server, Mapping):
        return f"server {number}"
    if isinstance(name := server.get("name"), str) and name.strip():
        return name
    inner = server.get("transport")
    return _made_name(inner if isinstance(inner, Mapping) else server) or f"server {number}"


def _made_name(server: Mapping[str, Any]) -> str:
    args, url = server.get("args"), server.get("url")
    if isinstance(args, list):
        return next(
            (each for each in args if isinstance(each, str) and each[:1].isalnum() | (each[:1] == "@")), ""
        )
    return host(url) if isinstance(url, str) else ""


def host(url: str) -> str:
    """Returns the host of an address, "" where it has none or is malformed, which is refused elsewhere."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _prompts(file: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    nested = file.get("mcp")
    for holder in (nested, file):
        inputs = holder.get("inputs") if isinstance(holder, Mapping) else None
        for each in inputs if isinstance(inputs, list) else []:
            if isinstance(each, Mapping) and isinstance(each.get("id"), str):
                yield each["id"], str(each.get("description") or "")[:200]
