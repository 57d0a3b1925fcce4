"""ContextForge (MCP Gateway): the JSON of `mcpgateway export`, in which secrets are encrypted."""

from collections.abc import Mapping

from assistants.configuration.schema import ServerEntry, ToolEntry, UseEntry
from assistants.importers.servers import LOG_IN, add_server, is_off
from assistants.importers.source import NO_PLACE, Source
from core.printable import shown
from tools.names import slugify

MARKS = frozenset({"entities"})
_HARMLESS = (
    "id", "slug", "created_at", "updated_at", "last_seen", "reachable", "capabilities", "tags", "visibility",
    "team_id", "owner_email", "metadata", "version", "icon", "health_check",
)  # fmt: skip
_ADDRESSES = ("jsonrpc_endpoint", "sse_endpoint", "websocket_endpoint")
_AUTHENTICATION = {"bearer": ("Authorization", "Bearer "), "basic": ("Authorization", "Basic ")}
_LEFT = {
    "prompts": "Prompts are those of the servers.",
    "resources": "Resources are those of the servers.",
    "roots": "Roots are those of the MCP clients.",
}


def read(file: Source) -> None:
    """Reads gateways as servers, and virtual servers as assistants."""
    entities = file.part("entities")
    gateways: dict[str, ServerEntry] = {}
    for gateway in entities.parts("gateways"):
        if entry := _add_gateway(gateway):
            gateways[slugify(gateway.text("name"))] = entry
    tools: dict[str, str] = {}
    for tool in entities.parts("tools"):
        tools |= {tool.text("id"): tool.text("name"), tool.text("name"): tool.text("name")}
        if tool.text("integration_type", default="REST").upper() != "MCP":
            file.draft.leave_out(tool.path, "A REST API is no MCP server: put one in front of it.")
        else:
            _read_tool(tool, gateways)
    for server in entities.parts("servers"):
        _add_virtual_server(server, gateways, tools)
    for name, why in _LEFT.items():
        for path, _ in entities.items(name):
            file.draft.leave_out(path, why)
    if any(use.functions for each in file.draft.assistants for use in each.tools):
        file.draft.steps.append(
            "assistants: ContextForge writes get_issue as get-issue, and getIssue as getissue. Tools came"
            " over with hyphens and with underscores: choose others on the assistants' pages."
        )
    entities.finish()
    file.skip("version", "exported_at", "exported_by", "source_gateway", "encryption_method", "metadata")
    file.finish()


def _read_tool(tool: Source, gateways: Mapping[str, ServerEntry]) -> None:
    """Turns off what is off there. What else older exports say of a gateway's tool is its server's own."""
    found = _tool(tool.text("name"), gateways)
    if found is None:
        tool.draft.leave_out(tool.path, "Its gateway did not come over.")
    elif is_off(tool):
        for name in found[1]:
            found[0].tools[name] = ToolEntry(is_enabled=False)
    tool.skip(*tool.names())


def _add_gateway(gateway: Source) -> ServerEntry | None:
    draft, name = gateway.draft, gateway.text("name")
    transport = gateway.text("transport").upper()
    written = {
        "type": "sse" if transport == "SSE" else "http",
        "url": gateway.text("url"),
        "headers": _headers(gateway, name),
        "disabled": is_off(gateway),
    }
    if transport not in {"", "SSE", "STREAMABLEHTTP", "HTTP"}:
        draft.leave_out(gateway.path, f"There is no transport {shown(transport)} here.")
        return None
    entry = add_server(draft, name, written, gateway.path, description=gateway.text("description"))
    gateway.skip(*_HARMLESS)
    gateway.finish(
        NO_PLACE,
        oauth_config=LOG_IN,
        passthrough_headers="Headers of callers are not passed on to servers.",
    )
    return entry


def _headers(gateway: Source, name: str) -> dict[str, str]:
    """Returns the header of a gateway's credentials, with a variable for what only ContextForge decrypts."""
    kind = gateway.text("auth_type").lower()
    gateway.skip("auth_value", "auth_token", "auth_username", "auth_password", "auth_headers")
    if kind in {"", "none"}:
        return {}
    if kind == "oauth":
        gateway.draft.leave_out(gateway.at("auth_type"), LOG_IN)
        return {}
    if kind not in _AUTHENTICATION:
        place = "in its address" if kind == "query_param" else "as headers"
        gateway.lose("auth_type", f"Its credentials are encrypted: give them {place} on its page.")
        return {}
    header, scheme = _AUTHENTICATION[kind]
    variable = f"{slugify(name).replace('-', '_').upper()}_TOKEN"
    meaning = "the token" if kind == "bearer" else "user:password in Base64"
    gateway.draft.asked[variable] = f"{meaning}, which is encrypted in the export"
    return {header: f"{scheme}${{{variable}}}"}


def _add_virtual_server(
    server: Source, gateways: Mapping[str, ServerEntry], named: Mapping[str, str]
) -> None:
    draft, name = server.draft, server.text("name")
    uses: dict[str, set[str]] = {}
    names = server.texts("tool_ids") or server.texts("associated_tools")
    for each in names:
        found = _tool(named.get(each, each), gateways)
        if found is None:
            draft.leave_out(server.at("tool_ids"), f"{shown(each)} is no tool of a gateway that came over.")
        else:
            uses.setdefault(found[0].slug, set()).update(found[1])
    tools = [UseEntry(server=slug, functions=sorted(functions)) for slug, functions in sorted(uses.items())]
    assistant = draft.add_assistant(
        name, name, description=server.text("description"), tools=tools,
        is_enabled=not is_off(server),
    )  # fmt: skip
    slug, addresses = (
        assistant.slug,
        [shown(address) for each in _ADDRESSES if (address := server.text(each))],
    )
    if addresses:
        draft.steps.append(f"assistant {slug}: MCP clients of {', '.join(addresses)} use /mcp/a/{slug} now.")
    server.skip("associated_tools", *_HARMLESS)
    server.finish(
        NO_PLACE,
        associated_resources="An assistant offers the resources of servers that it uses with all tools.",
        associated_prompts="An assistant offers the prompts of servers that it uses with all tools.",
    )


def _tool(name: str, gateways: Mapping[str, ServerEntry]) -> tuple[ServerEntry, set[str]] | None:
    """Returns the server of a name such as `gateway-get-issue`, and what the tool may be called there.

    Of several gateways the longest. ContextForge has hyphens for underscores, which most servers write.
    """
    ends = [at for at, character in enumerate(name) if character == "-"]
    for end in reversed(ends):
        if name[:end] in gateways:
            tool = name[end + 1 :]
            return gateways[name[:end]], {tool, tool.replace("-", "_")}
    return None
