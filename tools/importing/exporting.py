"""Export of servers as the `mcpServers` JSON of MCP clients."""

from collections.abc import Mapping
from typing import Any

from tools.models import ConnectionType, MCPTool
from tools.secrets.encryption import Unreadable

_TYPES = {ConnectionType.SSE: "sse", ConnectionType.STREAMABLE_HTTP: "http"}


def exported(server: MCPTool) -> dict[str, Any]:
    """Returns a server as `mcpServers` JSON, with `${NAME}` for each variable and header.

    One that asks back has `asks_back` besides, which other products pass over.
    """
    return {**_settings(server), **({"asks_back": True} if server.asks_back else {})}


def _settings(server: MCPTool) -> dict[str, Any]:
    shown = {name: each.masked(getattr(server, name)) for name, each in MCPTool.secret_fields().items()}
    if server.connection_type == ConnectionType.STDIO:
        return {
            "command": server.command,
            "args": shown["args"],
            "env": _placeholders(server.env, shown["env"]),
        }
    kind = _TYPES[ConnectionType(server.connection_type)]
    return {"type": kind, "url": shown["url"], "headers": _placeholders(server.headers, shown["headers"])}


def _placeholders(secrets: Mapping[str, str] | Unreadable, shown: dict[str, str]) -> dict[str, str]:
    if isinstance(secrets, Unreadable):  # what is shown for it is a placeholder, too
        return shown
    return {name: f"${{{name.upper().replace('-', '_')}}}" for name in secrets}
