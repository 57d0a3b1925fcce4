"""The files of MCP clients: Claude Desktop and Claude Code, Cursor, VS Code."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from assistants.configuration import InvalidConfiguration
from assistants.importers.servers import add_server
from assistants.importers.source import Source
from core.printable import shown
from tools import importing

_MOST_SERVERS = 10_000
_OWN = "settings of the client itself stay with it: "


def read_claude(file: Source) -> None:
    """Reads claude_desktop_config.json, .mcp.json, or ~/.claude.json with the servers of its projects."""
    if "mcpServers" in file:
        _add(file, {"mcpServers": file.value("mcpServers")}, "mcpServers")
    for path, project in file.parts_by_name("projects"):
        if project.value("mcpServers"):
            _add(project, {"mcpServers": project.value("mcpServers")}, project.at("mcpServers"))
        if rest := project.unread():
            file.draft.leave_out(file.at("projects") + f".{shown(path)}", _OWN.capitalize() + _listed(rest))
    _finish(file)


def read_cursor(file: Source) -> None:
    """Reads mcp.json of Cursor."""
    _add(file, {"mcpServers": file.value("mcpServers")}, "mcpServers")
    _finish(file)


def read_vscode(file: Source) -> None:
    """Reads mcp.json of VS Code, or its settings.json with the same under `mcp`."""
    whole = {name: file.value(name) for name in ("servers", "inputs", "mcp") if name in file}
    _add(file, whole, "servers" if "servers" in file else "mcp.servers")
    nested = file.part("mcp")
    for holder in (file, nested):
        for asked in holder.parts("inputs"):
            asked.skip("id", "type", "description", "password")
            asked.finish("Nobody is asked here: give the variable on the page of its server.")
    nested.skip("servers", "mcpServers")
    nested.finish()
    _finish(file)


def _add(file: Source, content: Mapping[str, Any], path: str) -> None:
    try:
        found = importing.find_servers(content, most=_MOST_SERVERS)
    except ValidationError as error:
        if not any(content.values()):  # an empty object, as of a client without servers
            return
        raise InvalidConfiguration(f"{path}: {' '.join(error.messages)}") from error
    for name, server in found.servers.items():
        add_server(file.draft, name, server, f"{path}.{shown(name)}", prompts=found.prompts)


def _finish(file: Source) -> None:
    if rest := file.unread():
        file.draft.leave_out("the file", _OWN.capitalize() + _listed(rest))


def _listed(names: list[str]) -> str:
    told = ", ".join(shown(name) for name in names[:20])
    return f"{told} and {len(names) - 20} more." if len(names) > 20 else f"{told}."
