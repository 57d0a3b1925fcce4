"""MCPHub: mcp_settings.json with servers, groups, users and keys."""

from collections.abc import Mapping
from typing import Any

from assistants.configuration.schema import ServerEntry, ToolEntry, UseEntry
from assistants.importers.keys import add_key
from assistants.importers.servers import LOG_IN, add_server, is_off, seconds
from assistants.importers.source import NO_PLACE, Source
from core.printable import shown

MARKS = frozenset({"mcpServers", "groups", "bearerKeys", "systemConfig", "users"})
_PEOPLE = "People are added in the console, at Users, with passwords of their own."
_REASONS = {
    "oauth": LOG_IN,
    "passthroughHeaders": "Headers of callers are not passed on to servers.",
    "prompts": "Single prompts of a server cannot be taken out.",
    "resources": "Single resources of a server cannot be taken out.",
    "proxy": "Set HTTP_PROXY for the workers, see docs/settings.md.",
    **dict.fromkeys(
        ("enableKeepAlive", "keepAliveInterval", "startOnDemand", "idleTimeoutMs"),
        "Servers run all the time, and are looked at by workers: see docs/operating.md.",
    ),
}
_IN_OUR_WORDS = ("type", "command", "args", "env", "url", "headers")


def read(file: Source) -> None:
    """Reads servers, then groups as assistants, then keys."""
    system = file.part("systemConfig")
    separator = system.text("nameSeparator", default="-")
    servers = {
        name: entry
        for name, server in file.parts_by_name("mcpServers")
        if (entry := _add(name, server, separator))
    }
    groups: dict[str, str] = {}
    for group in file.parts("groups"):
        _add_group(group, servers, separator, groups)
    for key in file.parts("bearerKeys"):
        _add_key(key, groups)
    for user in file.parts("users"):
        file.draft.leave_out(user.path, _PEOPLE)
    system.finish("Settings of the installation are in its environment: see docs/settings.md.")
    file.skip("oauthTokens")  # of its own callers, which log in to it no more
    file.finish(
        NO_PLACE, prompts="Prompts are those of the servers.", resources="Resources are those of the servers."
    )


def _add(name: str, server: Source, separator: str) -> ServerEntry | None:
    written = {each: server.value(each) for each in _IN_OUR_WORDS} | {"disabled": is_off(server)}
    if written["type"] == "openapi":
        server.draft.leave_out(
            server.path, "An OpenAPI description is no MCP server: put one in front of the service."
        )
        return None
    options = server.part("options")
    entry = add_server(
        server.draft, name, written, server.path,
        description=server.text("description"),
        tools=dict(_tool(key, tool, f"{name}{separator}") for key, tool in server.parts_by_name("tools")),
        asks_back=server.flag("perSessionClient"),
        call_timeout_s=seconds(options.number("timeout"), 600),
    )  # fmt: skip
    options.finish()
    server.skip("owner", "visibility")
    server.finish(NO_PLACE, **_REASONS)
    return entry


def _tool(name: str, tool: Source, prefix: str) -> tuple[str, ToolEntry]:
    """Returns a tool under its server's own name for it: MCPHub has it with the server's before."""
    entry = ToolEntry(is_enabled=not is_off(tool), description=tool.text("description"))
    tool.finish()
    return name.removeprefix(prefix) or name, entry


def _add_group(
    group: Source, servers: Mapping[str, ServerEntry], separator: str, groups: dict[str, str]
) -> None:
    draft, name = group.draft, group.text("name")
    uses: dict[str, UseEntry] = {}
    for path, member in group.items("servers"):
        of, functions = _member(member, path, group, separator)
        if of not in servers:
            draft.leave_out(path, f"The server {shown(of)} did not come over.")
        elif functions == [] or servers[of].slug in uses:
            draft.leave_out(path, "It offers no tool here, or is there twice.")
        else:
            uses[servers[of].slug] = UseEntry(server=servers[of].slug, functions=functions)
    groups[name] = draft.add_assistant(
        name, name, description=group.text("description"), tools=list(uses.values())
    ).slug
    group.skip("id", "owner")
    group.finish()


def _member(member: Any, path: str, group: Source, separator: str) -> tuple[str, list[str] | None]:
    """Returns the server of a group, and which of its tools; None for all, but an empty list for none."""
    if isinstance(member, str):
        return member, None
    server = Source(member, path, group.draft)
    name = server.text("name")
    tools = None if server.value("tools", "all") == "all" else server.texts("tools")
    for each in ("prompts", "resources"):
        if server.value(each, "all") != "all":
            server.leave_out(
                each, f"All {each} of the server are offered, or none where it has single tools."
            )
    server.finish(NO_PLACE, alias="Tools have the names of their server: give it another.")
    if tools is None:
        return name, None
    return name, sorted({each.removeprefix(f"{name}{separator}") for each in tools})


def _add_key(key: Source, groups: Mapping[str, str]) -> None:
    kind, draft, named = key.text("accessType", default="all"), key.draft, key.texts("allowedGroups")
    allowed = list(groups.values()) if kind == "all" else [groups[n] for n in named if n in groups]
    for name in named:
        if name not in groups:
            draft.leave_out(key.at("allowedGroups"), f"There is no group {shown(name)} in the file.")
    if key.texts("allowedServers"):
        draft.leave_out(
            key.at("allowedServers"), "Make an assistant of these servers, and let the key call it."
        )
    add_key(
        draft, key.text("name", default="MCPHub key"), key.path, assistants=allowed,
        is_disabled=is_off(key),
    )  # fmt: skip
    key.skip("id", "token", "kind", "owner")
    key.finish()
