"""ContextForge (MCP Gateway): the JSON of `mcpgateway export`, in which secrets are encrypted."""

from collections.abc import Mapping

from assistants.configuration.schema import ServerEntry, ToolEntry, UseEntry
from assistants.importers.servers import LOG_IN, add_server
from assistants.importers.source import NO_PLACE, Source, shown
from tools.names import slugify

MARKS = frozenset({"entities"})
_HARMLESS = (
    "id", "slug", "created_at", "updated_at", "last_seen", "reachable", "capabilities", "tags", "visibility",
    "team_id", "owner_email", "metadata", "version", "icon",
)  # fmt: skip
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
        elif not tool.flag("is_active", default=tool.flag("enabled", default=True)):
            _turn_off(tool, gateways)
    for server in entities.parts("servers"):
        _add_virtual_server(server, gateways, tools)
    for name, why in _LEFT.items():
        for path, _ in entities.items(name):
            file.draft.leave_out(path, why)
    entities.finish()
    file.skip("version", "exported_at", "exported_by", "source_gateway", "encryption_method", "metadata")
    file.finish()


def _turn_off(tool: Source, gateways: Mapping[str, ServerEntry]) -> None:
    if found := _tool(tool.text("name"), gateways):
        server = next(each for each in gateways.values() if each.slug == found[0])
        server.tools[found[1]] = ToolEntry(is_enabled=False)
    else:
        tool.draft.leave_out(tool.path, "Its gateway did not come over.")


def _add_gateway(gateway: Source) -> ServerEntry | None:
    draft, name = gateway.draft, gateway.text("name")
    transport = gateway.text("transport").upper()
    written = {
        "type": "sse" if transport == "SSE" else "http",
        "url": gateway.text("url"),
        "headers": _headers(gateway, name),
        "enabled": gateway.flag("is_active", default=gateway.flag("enabled", default=True)),
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
    if kind not in _AUTHENTICATION:
        why = (
            LOG_IN if kind == "oauth" else "Its credentials are encrypted: give them as headers on its page."
        )
        gateway.draft.leave_out(gateway.at("auth_type"), why)
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
            uses.setdefault(found[0], set()).add(found[1])
    tools = [UseEntry(server=slug, functions=sorted(functions)) for slug, functions in sorted(uses.items())]
    draft.add_assistant(
        name, name, description=server.text("description"), tools=tools,
        is_enabled=server.flag("is_active", default=server.flag("enabled", default=True)),
    )  # fmt: skip
    server.skip("associated_tools", "tool_ids", *_HARMLESS)
    server.finish(
        NO_PLACE,
        associated_resources="An assistant offers the resources of servers that it uses with all tools.",
        associated_prompts="An assistant offers the prompts of servers that it uses with all tools.",
    )


def _tool(name: str, gateways: Mapping[str, ServerEntry]) -> tuple[str, str] | None:
    """Returns the server and the tool of a name such as `gateway-tool`; of several gateways the longest."""
    fitting = [slug for slug in gateways if name.startswith(f"{slug}-")]
    if not fitting:
        return None
    slug = max(fitting, key=len)
    return gateways[slug].slug, name.removeprefix(f"{slug}-")
