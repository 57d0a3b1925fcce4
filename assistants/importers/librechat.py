"""LibreChat: librechat.yaml, and a list of agents as its API returns them."""

from collections.abc import Iterator, Mapping

from assistants.configuration.schema import ServerEntry, UseEntry
from assistants.importers.llm_services import add_provider, parameters
from assistants.importers.servers import LOG_IN, REASONS, add_server, is_off, seconds
from assistants.importers.source import NO_PLACE, Source
from assistants.importers.variables import of_braces
from core.printable import shown
from tools import importing

MARKS = frozenset({"endpoints", "mcpServers", "modelSpecs", "agents"})
_BUILT_IN = {
    "openai": ("OpenAI", "openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("Anthropic", "anthropic", "", "ANTHROPIC_API_KEY"),
    "google": ("Google Gemini", "gemini", "", "GOOGLE_KEY"),
    "bedrock": ("Amazon Bedrock", "bedrock", "", ""),
}
"""Endpoints that LibreChat has without an entry: title, kind, address, variable of the key."""
_WHO = "Servers are not told who asks."
_OWN_SETTINGS = "Settings of LibreChat itself stay with it."
_OF_LOOKS = (
    "title", "summar", "model", "icon", "activity", "reasoningLabel", "forcePrompt", "streamRate",
)  # fmt: skip
"""Beginnings of what an endpoint says of LibreChat's own pages."""
_LOOKS = ("iconPath", "chatMenu", "title")
_ALL_TOOLS, _NO_TOOL = "sys__all__sys", "sys__server__sys"


def read(file: Source) -> None:
    """Reads endpoints as providers, then servers, then specs of models and agents as assistants."""
    providers: dict[str, str] = {}
    endpoints = file.part("endpoints")
    for endpoint in endpoints.parts("custom"):
        _add_endpoint(endpoint, providers)
    servers = {
        name: entry
        for name, server in file.parts_by_name("mcpServers")
        if (entry := _add_server(name, server))
    }
    specs = file.part("modelSpecs")
    for spec in specs.parts("list"):
        _add_spec(spec, providers, servers)
    for agent in file.parts("agents"):
        _add_agent(agent, providers, servers)
    specs.finish(_OWN_SETTINGS)
    endpoints.finish(
        "Add a provider for it in the console if you use it.", agents=_OWN_SETTINGS, all=_OWN_SETTINGS
    )
    file.skip("version")
    file.finish(_OWN_SETTINGS)


def _add_endpoint(endpoint: Source, providers: dict[str, str]) -> None:
    draft, name, key = endpoint.draft, endpoint.text("name"), endpoint.text("apiKey")
    models = endpoint.part("models")
    known = list(_model_names(models))
    if key == "user_provided":
        draft.leave_out(
            endpoint.at("apiKey"), "Each user gave a key of their own: give the provider one for all."
        )
        key = ""
    kind = endpoint.text("provider", default="openai")
    added = add_provider(
        draft, name, endpoint.path, kind=kind if kind in {"openai", "anthropic"} else "openai",
        base_url=endpoint.text("baseURL"), api_key=key, default_model=known[0] if known else "unknown",
    )  # fmt: skip
    if added:
        providers[name.lower()] = added
        if not known:
            draft.steps.append(f"provider {added}: name its default model: the file has none.")
        if len(known) > 1:
            draft.leave_out(
                models.at("default"),
                f"{added} answers with the first: add an assistant for each that you use.",
            )
    models.skip("fetch")
    models.finish()
    endpoint.skip(*[each for each in endpoint.names() if each.startswith(_OF_LOOKS)])
    extra = "Give it as `extra` in the parameters of its assistants."
    endpoint.finish(NO_PLACE, addParams=extra, headers="A provider is sent its key, and no other header.")


def _model_names(models: Source) -> Iterator[str]:
    """Yields the names of models, which may have a description each."""
    for path, each in models.items("default"):
        if isinstance(each, str):
            yield each
        else:
            model = Source(each, path, models.draft)
            yield model.text("name")
            model.skip("description")
            model.finish()


def _add_server(name: str, server: Source) -> ServerEntry | None:
    draft, asked = server.draft, server.part("customUserVars")
    for variable in asked.names():
        about = asked.part(variable)
        title = about.text("title", default=variable)
        draft.asked[variable] = f"{title}; each user gave their own, here it is one for all"
        about.skip("description", "sensitive")
        about.finish()
    if server.value("type") == "websocket":
        draft.leave_out(server.path, "There is no transport websocket here.")
        return None
    written = {
        "type": server.value("type"), "command": server.value("command"),
        "url": of_braces(server.text("url")) or None,
        "args": [of_braces(each) for each in server.texts("args")],
        "env": _filled(server, "env"), "headers": {**_api_key(server), **_headers(server)},
        "disabled": is_off(server),
    }  # fmt: skip
    entry = add_server(
        draft, name, written, server.path, description=server.text("description"),
        call_timeout_s=seconds(server.number("timeout"), 600),
        start_timeout_s=seconds(server.number("initTimeout"), 300),
    )  # fmt: skip
    server.skip(*_LOOKS)
    server.finish(
        NO_PLACE, oauth=LOG_IN, requiresOAuth=LOG_IN, oauth_headers=LOG_IN, obo=_WHO, requestHeaders=_WHO,
        cwd=REASONS["cwd"], proxy="Set HTTP_PROXY for the workers, see docs/settings.md.",
    )  # fmt: skip
    return entry


def _api_key(server: Source) -> dict[str, str]:
    """Returns the header of a key that is one for all users, as LibreChat sends it."""
    about = server.part("apiKey")
    key, kind = of_braces(about.text("key")), about.text("authorization_type", default="bearer")
    name = about.text("custom_header", default="X-Api-Key") if kind == "custom" else "Authorization"
    about.skip("source")
    if not key and about.names():
        server.lose("apiKey", "The file does not have its key: give a header on its page.")
    about.finish()
    schemes = {"bearer": "Bearer ", "basic": "Basic "}
    return {name: f"{schemes.get(kind, '')}{key}"} if key else {}


def _filled(server: Source, name: str) -> dict[str, str]:
    part = server.part(name)
    return {each: of_braces(part.text(each)) for each in part.names()}


def _headers(server: Source) -> dict[str, str]:
    """Returns headers without those that say who asks, which only LibreChat knows."""
    headers = server.part("headers")
    found = {}
    for name in headers.names():
        if "{{LIBRECHAT_" in (value := headers.text(name)):
            server.draft.leave_out(headers.at(name), _WHO)
            if importing.is_credential(name):
                server.draft.lose_credential(server.path, shown(name))
        else:
            found[name] = of_braces(value)
    return found


def _add_spec(spec: Source, providers: dict[str, str], servers: Mapping[str, ServerEntry]) -> None:
    preset = spec.part("preset")
    name = spec.text("name")
    if preset.text("agent_id"):
        spec.draft.leave_out(spec.path, "It shows an agent: import the list of agents along with the file.")
        return
    uses = {}
    for path, each in spec.items("mcpServers"):
        if entry := servers.get(str(each)):
            uses[entry.slug] = UseEntry(server=entry.slug)
        else:
            spec.draft.leave_out(path, "This server did not come over.")
    model = preset.text("model")
    provider = _provider(preset, preset.text("endpoint"), model, providers)
    spec.draft.add_assistant(
        spec.text("label", default=name), name, description=spec.text("description"),
        provider=provider, model=model, is_enabled=bool(provider),
        system_prompt=preset.text("promptPrefix", "instructions", "system"), parameters=parameters(preset),
        tools=list(uses.values()),
    )  # fmt: skip
    preset.skip("modelLabel", "iconURL", "maxContextTokens", "greeting", "endpointType", "spec")
    preset.finish()
    spec.skip(
        "default", "softDefault", "iconURL", "showIconInMenu", "showIconInHeader", "showOnLanding",
        "hideBadgeRow", "order", "group", "groupIcon", "authType",
    )  # fmt: skip
    spec.finish()


def _add_agent(agent: Source, providers: dict[str, str], servers: Mapping[str, ServerEntry]) -> None:
    name, model = agent.text("name", "id"), agent.text("model")
    settings = agent.part("model_parameters")
    provider = _provider(agent, agent.text("provider"), model, providers)
    agent.draft.add_assistant(
        name, agent.text("id"), description=agent.text("description"),
        system_prompt=agent.text("instructions"),
        provider=provider, model=model, is_enabled=bool(provider),
        parameters=parameters(settings), tools=_uses(agent, servers),
    )  # fmt: skip
    settings.skip("model")
    settings.finish()
    agent.skip(
        "_id", "author", "authorName", "createdAt", "updatedAt", "avatar", "versions", "version", "category",
        "conversation_starters", "projectIds", "isCollaborative", "isPublic", "is_promoted", "mcpServerNames",
    )  # fmt: skip
    agent.finish(
        NO_PLACE, actions="An OpenAPI action is no MCP server: put one in front of the service.",
        tool_resources="Files and knowledge have no place here: offer them by an MCP server.",
        agent_ids="Assistants do not call each other.", edges="Assistants do not call each other.",
    )  # fmt: skip


def _uses(agent: Source, servers: Mapping[str, ServerEntry]) -> list[UseEntry]:
    """Returns the servers of tools such as `search_mcp_github`; other tools are LibreChat's own."""
    found: dict[str, set[str] | None] = {}
    for each in agent.texts("tools"):
        tool, _, server = each.rpartition("_mcp_")
        entry = servers.get(server) if tool else None
        if entry is None:
            agent.draft.leave_out(agent.at("tools"), f"{shown(each)} is no tool of a server that came over.")
        elif tool == _ALL_TOOLS:
            found[entry.slug] = None
        elif tool == _NO_TOOL:  # that the server was chosen, of which others of the list say the tools
            continue
        elif (functions := found.setdefault(entry.slug, set())) is not None:
            functions.add(tool)
    return [
        UseEntry(server=slug, functions=sorted(functions) if functions else None)
        for slug, functions in sorted(found.items())
    ]


def _provider(part: Source, endpoint: str, model: str, providers: dict[str, str]) -> str:
    """Returns the provider of an endpoint; those that LibreChat has of itself are added when first needed."""
    key = endpoint.lower()
    if key not in providers and key in _BUILT_IN:
        title, kind, address, variable = _BUILT_IN[key]
        providers[key] = add_provider(
            part.draft, title, part.path, kind=kind, base_url=address,
            api_key=f"${{{variable}}}" if variable else "", default_model=model or "unknown",
        )  # fmt: skip
    if key not in providers:
        part.draft.leave_out(
            part.path,
            f"The endpoint {shown(endpoint)} did not come over: choose its provider, and enable it.",
        )
    return providers.get(key, "")
