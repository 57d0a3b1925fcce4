"""Open WebUI: config.json of *Export Config*, and the list of *Export Models*."""

import json
from collections.abc import Iterator, Mapping

from assistants.configuration.schema import ToolEntry, UseEntry
from assistants.importers.llm_services import add_provider, parameters
from assistants.importers.servers import LOG_IN, add_server, is_off
from assistants.importers.source import NO_PLACE, Source
from core.printable import shown
from tools import importing

MARKS = frozenset({"openai", "ollama", "tool_server", "models", "ui", "workspace_models"})
UNKNOWN_MODEL = "unknown"
_HARMLESS = (
    "id",
    "user_id",
    "created_at",
    "updated_at",
    "object",
    "created",
    "owned_by",
    "preset",
    "user",
    "write_access",
)
_OF_LOOKS = ("profile_image_url", "tags", "hidden")
_WHO = "Let the keys call it whose users may: on its page."
_OWN_SETTINGS = "Settings of Open WebUI itself stay with it."
_TOOLS = "Tools written in Python, functions and knowledge have no place here: offer them by an MCP server."
_OF_SERVER = "server:mcp:"
_NO_SERVER = "No MCP server of this id came over: name the file of Export Config, too."


def read(file: Source) -> None:
    """Reads connections as providers and servers, then models as assistants."""
    file = _nested(file)
    providers = _Providers(file)
    servers: dict[str, UseEntry] = {}
    tool_server = file.part("tool_server")
    for connection in tool_server.parts("connections"):
        _add_connection(connection, servers)
    tool_server.finish(_OWN_SETTINGS)
    for model in [*file.parts("workspace_models"), *_models(file)]:
        _add_model(model, providers, servers)
    providers.say_what_is_unknown()
    file.skip("version")
    file.finish(_OWN_SETTINGS)


def _models(file: Source) -> Iterator[Source]:
    """Yields models. In a configuration this name has settings for all of them, which stay."""
    if isinstance(file.value("models"), list):
        yield from file.parts("models")
    else:
        file.leave_out("models", _OWN_SETTINGS)


def _nested(file: Source) -> Source:
    """Returns the file with `openai.api_keys` as a member of `openai`: not every release writes it so."""
    values = {name: file.value(name) for name in file.names() if "." not in name}
    for name in file.names():
        outer, dot, inner = name.partition(".")
        holder = values.setdefault(outer, {}) if dot else None
        if isinstance(holder, dict):
            holder.setdefault(inner, file.value(name))
        elif dot:
            values[name] = file.value(name)
    return Source(values, file.path, file.draft)


class _Providers:
    """The connections to LLM services, and which of them has a model."""

    def __init__(self, file: Source) -> None:
        self._draft = file.draft
        self._names: list[str] = []
        self._by_model: dict[str, tuple[str, str]] = {}
        openai, ollama = file.part("openai"), file.part("ollama")
        keys = openai.texts("api_keys")
        self._off = {part.path for part in (openai, ollama) if not part.flag("enable", default=True)}
        self._configs = {part: part.part("api_configs") for part in (openai, ollama)}
        urls = openai.texts("api_base_urls")
        for number, url in enumerate(urls):
            self._add(openai, number, "openai", url, keys[number] if number < len(keys) else "")
        if len(keys) > len(urls):
            self._draft.leave_out(openai.at("api_keys"), "There are more keys than connections.")
        for number, url in enumerate(ollama.texts("base_urls")):
            self._add(ollama, number, "ollama", url, "")
        for part, configs in self._configs.items():
            configs.finish("There is no such connection.")
            part.finish(_OWN_SETTINGS)

    def of(self, model: str) -> tuple[str, str]:
        """Returns the provider of a model and what it is called there."""
        if model in self._by_model:
            return self._by_model[model]
        if len(self._names) != 1:
            what = f"the provider {self._names[0]}" if self._names else "OPENAI_BASE_URL"
            self._draft.steps.append(
                f"assistants with the model {shown(model)}: it is asked for at {what}. Is it there?"
            )
        return (self._names[0] if self._names else ""), model

    def say_what_is_unknown(self) -> None:
        """Gives each provider without a known model the first one that an assistant has of it."""
        for provider in self._draft.providers:
            if provider.default_model == UNKNOWN_MODEL:
                used = [each.model for each in self._draft.assistants if each.provider == provider.name]
                if used:
                    provider.default_model = used[0]
                else:
                    self._draft.steps.append(
                        f"provider {provider.name}: name its default model: the file has none."
                    )

    def _add(self, part: Source, number: int, kind: str, url: str, key: str) -> None:
        configs = self._configs[part]
        config = configs.part(str(number)) if str(number) in configs else configs.part(url)
        key = key or config.text("key")
        if not config.flag("enable", default=True) or part.path in self._off:
            off = "The connection is off: add the provider when you want it."
            for path in (f"{part.path}[{number}]", config.path):
                self._draft.leave_out(path, off)
            return
        models, prefix = config.texts("model_ids"), config.text("prefix_id")
        title = config.text("name", "prefix_id") or importing.host(url) or kind
        name = add_provider(
            self._draft, title, f"{part.path}[{number}]", kind=kind, base_url=url, api_key=key,
            default_model=models[0] if models else UNKNOWN_MODEL,
        )  # fmt: skip
        config.skip("tags", "connection_type")
        if config.text("auth_type", default="bearer") not in {"bearer", "none"}:
            config.leave_out("auth_type", "A provider is sent its key, and nothing else.")
        config.finish(NO_PLACE, headers="A provider is sent its key, and no other header.")
        if name:
            self._names.append(name)
            self._by_model |= {f"{prefix}.{each}" if prefix else each: (name, each) for each in models}


def _add_connection(connection: Source, servers: dict[str, UseEntry]) -> None:
    draft, info, config = connection.draft, connection.part("info"), connection.part("config")
    if connection.text("type", default="openapi") != "mcp":
        draft.leave_out(connection.path, "An OpenAPI server is no MCP server: put one in front of it.")
        return
    kind, key = connection.text("auth_type").lower(), connection.text("key")
    headers = _header_texts(connection)
    if kind in {"bearer", ""} and key:
        headers["Authorization"] = f"Bearer {key}"
    elif "oauth" in kind:
        draft.leave_out(connection.at("auth_type"), LOG_IN)
    elif kind not in {"bearer", "none", ""}:
        connection.lose("auth_type", LOG_IN)
    is_disabled = any([not config.flag("enable"), is_off(config), is_off(connection)])
    name = info.text("name", "id") or importing.host(connection.text("url")) or "server"
    written = {
        "type": "http", "url": connection.text("url"), "headers": headers,
        "disabled": is_disabled,
    }  # fmt: skip
    allowed, blocked = _filters(config)
    entry = add_server(
        draft, name, written, connection.path, description=info.text("description"),
        tools={each: ToolEntry(is_enabled=False) for each in blocked},
    )  # fmt: skip
    if entry:
        servers[info.text("id", default=name)] = UseEntry(server=entry.slug, functions=allowed or None)
    connection.skip("path", "spec", "spec_type")
    config.finish(NO_PLACE, access_control=_WHO, access_grants=_WHO)
    info.finish(NO_PLACE, oauth_client_info=LOG_IN)
    connection.finish()


def _filters(config: Source) -> tuple[list[str], list[str]]:
    """Returns the tools that a connection has alone, and those that it has not, `!name` there."""
    name = "function_name_filter_list"
    text = config.value(name, "")
    names = text.split(",") if isinstance(text, str) else config.texts(name)
    told = {each.strip() for each in names} - {""}
    blocked = {each for each in told if each.startswith("!")}
    return sorted(told - blocked), sorted(each.removeprefix("!") for each in blocked)


def _header_texts(connection: Source) -> dict[str, str]:
    """Returns headers, which older releases keep as JSON in a text."""
    value = connection.value("headers", {})
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except ValueError:
            connection.lose("headers", "It is no JSON: give them on the server's page.")
            return {}
    part = Source({} if value is None else value, connection.at("headers"), connection.draft)
    found = {name: part.text(name) for name in part.names()}
    for name in [each for each in found if "{{" in found[each]]:
        del found[name]
        connection.draft.leave_out(part.at(name), "Servers are not told who asks.")
        if importing.is_credential(name):
            connection.draft.lose_credential(connection.path, shown(name))
    return found


def _add_model(model: Source, providers: _Providers, servers: Mapping[str, UseEntry]) -> None:
    draft, name = model.draft, model.text("id")
    params, meta = model.part("params"), model.part("meta")
    provider, llm = providers.of(model.text("base_model_id") or name)
    draft.add_assistant(
        model.text("name", default=name), name, description=meta.text("description"),
        system_prompt=params.text("system"),
        provider=provider, model=llm, parameters=parameters(params),
        is_enabled=model.flag("is_active", default=True), tools=_uses(meta, servers),
    )  # fmt: skip
    params.skip("stream_response", "function_calling")
    params.finish()
    meta.skip(*_OF_LOOKS)
    meta.finish(
        _TOOLS, capabilities=NO_PLACE, suggestion_prompts=_OWN_SETTINGS, defaultFeatureIds=_OWN_SETTINGS
    )
    model.skip(*_HARMLESS)
    model.finish(NO_PLACE, access_control=_WHO, access_grants=_WHO)


def _uses(meta: Source, servers: Mapping[str, UseEntry]) -> list[UseEntry]:
    found: dict[str, UseEntry] = {}
    for each in meta.texts("toolIds"):
        is_server = each.startswith(_OF_SERVER)
        use = servers.get(each.removeprefix(_OF_SERVER)) if is_server else None
        if use is None:
            why = _NO_SERVER if is_server else _TOOLS
            meta.draft.leave_out(meta.at("toolIds"), f"{shown(each)}: {why}")
        else:
            found.setdefault(use.server, use.model_copy())
    return list(found.values())
