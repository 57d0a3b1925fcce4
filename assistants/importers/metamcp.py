"""MetaMCP: the JSON of *Export JSON*, and namespaces and endpoints as its API lists them."""

from collections.abc import Iterator, Mapping
from typing import Any

from assistants.configuration.schema import ServerEntry, ToolEntry, UseEntry
from assistants.importers.keys import add_key
from assistants.importers.servers import LOG_IN, add_server, is_off
from assistants.importers.source import NO_PLACE, Source
from core.printable import shown

MARKS = frozenset({"mcpServers", "servers", "namespaces", "endpoints"})
_IN_OUR_WORDS = ("command", "args", "env", "url")
_HARMLESS = ("uuid", "created_at", "updated_at", "user_id", "error_status", "status")
_OF_THE_SERVER = ("description", "type", "command", "args", "env", "url", "bearerToken", "headers")
"""What a list of namespaces says again of each server in them."""
_KEYS = "Callers always need a key here, which assistants are granted to."


def read(file: Source) -> None:
    """Reads servers, then namespaces as assistants, then endpoints as other names of these."""
    known: dict[str, ServerEntry] = {}
    for name, server in _servers(file):
        if entry := _add(name, server):
            known |= dict.fromkeys(filter(None, (name, server.text("uuid"))), entry)
    namespaces: dict[str, str] = {}
    for namespace in file.parts("namespaces"):
        _add_namespace(namespace, known, namespaces)
    for endpoint in file.parts("endpoints"):
        _add_endpoint(endpoint, namespaces)
    for name in ("apiKeys", "api_keys"):
        for key in file.parts(name):
            add_key(
                file.draft, key.text("name", default="MetaMCP key"), key.path,
                assistants=[each.slug for each in file.draft.assistants],
                is_disabled=is_off(key),
            )  # fmt: skip
            key.skip("key", *_HARMLESS)
            key.finish()
    file.finish()


def _servers(file: Source) -> Iterator[tuple[str, Source]]:
    yield from file.parts_by_name("mcpServers")
    for server in file.parts("servers"):
        yield server.text("name"), server


def _add(name: str, server: Source) -> ServerEntry | None:
    kind = server.text("type").upper()
    if kind == "REST_API":
        server.draft.leave_out(server.path, "A REST API is no MCP server: put one in front of it.")
        return None
    headers = server.part("headers")
    written: dict[str, Any] = {each: server.value(each) for each in _IN_OUR_WORDS}
    written["headers"] = {each: headers.text(each) for each in headers.names()}
    if token := server.text("bearerToken"):
        written["headers"]["Authorization"] = f"Bearer {token}"
    written["disabled"] = _is_inactive(server)
    written["type"] = "stdio" if kind == "STD" else kind.lower() or None
    entry = add_server(server.draft, name, written, server.path, description=server.text("description"))
    server.skip("name", *_HARMLESS)
    server.finish(NO_PLACE, oauth_tokens=LOG_IN)
    return entry


def _is_inactive(part: Source) -> bool:
    return is_off(part) or part.text("status").upper() == "INACTIVE"


def _add_namespace(namespace: Source, known: Mapping[str, ServerEntry], namespaces: dict[str, str]) -> None:
    draft, name = namespace.draft, namespace.text("name")
    uses: dict[str, UseEntry] = {}
    for path, member in namespace.items("servers"):
        server = Source({"name": member} if isinstance(member, str) else member, path, draft)
        entry = known.get(server.text("uuid")) or known.get(server.text("name"))
        is_inactive = _is_inactive(server)
        server.skip("name", *_OF_THE_SERVER, *_HARMLESS)
        server.finish()
        if is_inactive:
            draft.leave_out(
                path, "It is inactive in this namespace: let the assistant use it when you want it."
            )
        elif entry is None:
            draft.leave_out(path, f"The server {shown(server.text('name'))} did not come over.")
        else:
            uses.setdefault(entry.slug, UseEntry(server=entry.slug))
    for tool in namespace.parts("tools"):
        _add_tool(tool, known)
    assistant = draft.add_assistant(
        name, name, description=namespace.text("description"), tools=list(uses.values())
    )
    namespaces |= dict.fromkeys(filter(None, (name, namespace.text("uuid"))), assistant.slug)
    namespace.skip(*_HARMLESS)
    namespace.finish(
        NO_PLACE, middlewares="Rules and filters take the place of middleware: see docs/filters.md."
    )


def _add_tool(tool: Source, known: Mapping[str, ServerEntry]) -> None:
    """Adds what a namespace says of a tool, for all: here that is a setting of the tool itself."""
    name = tool.text("name")
    server = known.get(tool.text("mcp_server_uuid", "serverUuid")) or known.get(tool.text("serverName"))
    entry = ToolEntry(
        is_enabled=not _is_inactive(tool),
        name=tool.text("overrideName"),
        description=tool.text("overrideDescription"),
    )
    tool.skip("serverUuid", "serverName", "description", "title", "toolSchema", *_HARMLESS)
    tool.finish()
    if entry == ToolEntry():
        return
    if server is None:
        tool.draft.leave_out(tool.path, "It is set otherwise, and its server did not come over.")
        return
    server.tools[name] = entry
    tool.draft.leave_out(
        tool.path, f"It is so for every assistant that uses {server.slug}, not for this one alone."
    )


def _add_endpoint(endpoint: Source, namespaces: Mapping[str, str]) -> None:
    draft, name = endpoint.draft, endpoint.text("name")
    of = endpoint.value("namespace")
    key = of.get("uuid", of.get("name")) if isinstance(of, dict) else of
    slug = namespaces.get(str(endpoint.text("namespace_uuid") or key))
    assistant = draft.named(slug) if slug else None
    if assistant is None or not draft.add_alias(assistant, name):
        draft.leave_out(endpoint.path, "No namespace that came over can have this name besides.")
        return
    draft.steps.append(
        f"assistant {assistant.slug}: MCP clients of the endpoint {name} use /mcp/a/{assistant.slug} now."
    )
    endpoint.skip("namespace_uuid", "description", *_HARMLESS)
    endpoint.finish(
        NO_PLACE,
        enable_api_key_auth=_KEYS, enable_oauth=_KEYS, use_query_param_auth=_KEYS,
        enable_max_rate="Limits are those of a key: set them there.",
        enable_client_max_rate="Limits are those of a key: set them there.",
    )  # fmt: skip
