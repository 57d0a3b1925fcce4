"""LiteLLM's proxy: config.yaml, and its virtual keys as `GET /key/list?return_full_object=true` has them."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from assistants.configuration.schema import AssistantEntry, ServerEntry, ToolEntry, UseEntry
from assistants.importers.draft import Draft
from assistants.importers.keys import add_litellm_key
from assistants.importers.litellm_models import service_of
from assistants.importers.llm_services import add_provider, parameters
from assistants.importers.servers import LOG_IN, add_server, is_off, seconds
from assistants.importers.source import NO_PLACE, Source
from assistants.importers.variables import filled, of_litellm
from core.printable import shown

MARKS = frozenset(
    {"model_list", "mcp_servers", "general_settings", "litellm_settings", "router_settings", "keys"}
)
TOOLS = "LiteLLM tools"
_ENVIRONMENT = "It has no place here. What an installation can be set to stands in docs/settings.md."
_SERVICE = "Have your service set it, or see docs/settings.md."
_FIRST = "It is that of the first deployment of this name."
_GENERAL = {
    "master_key": "It is not imported: `manage.py create_key NAME --manage` makes a key for management.",
    "database_url": "This installation has a database of its own: DATABASE_URL.",
}
_LIMITS = "Limits are those of a key: set them there."
_PARAMS = {
    **dict.fromkeys(
        ("rpm", "tpm", "max_parallel_requests", "weight", "order", "max_budget", "budget_duration"), _LIMITS
    ),
    **dict.fromkeys(
        ("timeout", "stream_timeout"), "Time-outs are those of the installation: LLM_READ_TIMEOUT_S."
    ),
}
_MODES = {"", "chat", "completion", "responses"}


def read(file: Source) -> None:
    """Reads models, then servers, then keys."""
    variables = {n: text for n, text in _texts(file, "environment_variables").items() if text}
    file.draft.environ = {**variables, **file.draft.environ}
    credentials = dict(_credentials(file))
    targets: dict[str, AssistantEntry] = {}
    for model in file.parts("model_list"):
        _add_model(model, credentials, targets)
    for holder in credentials.values():
        holder.finish(_SERVICE)
    for name in ("router_settings", "litellm_settings"):
        _routes(file.part(name), targets)
    _add_servers(file)
    for key in file.parts("keys"):
        add_litellm_key(key)
    file.skip("total_count", "current_page", "total_pages")  # of a list of keys
    file.part("general_settings").finish(_ENVIRONMENT, **_GENERAL)
    file.finish()


def _credentials(file: Source) -> Iterator[tuple[str, Source]]:
    for credential in file.parts("credential_list"):
        yield credential.text("credential_name"), credential.part("credential_values")
        credential.skip("credential_info")
        credential.finish()


def _add_model(model: Source, credentials: Mapping[str, Source], targets: dict[str, AssistantEntry]) -> None:
    draft, name, params = model.draft, model.text("model_name"), model.part("litellm_params")
    info = model.part("model_info")
    if (mode := info.text("mode")) not in _MODES:
        draft.leave_out(model.path, f"Models for {shown(mode)} have no place here.")
        return
    target = _provider(model, params, credentials)
    if target is None:
        return
    provider, llm = target
    info.skip("id", "base_model", "db_model", "max_tokens", "max_input_tokens", "max_output_tokens")
    if other := targets.get(name):
        _add_deployment(other, provider, llm, model)
    else:
        targets[name] = draft.add_assistant(
            name, name, provider=provider, model=llm, parameters=parameters(params),
            description=info.text("description"),
        )  # fmt: skip
    params.finish(_FIRST if other else _SERVICE, **_PARAMS)
    info.finish()
    model.finish()


def _provider(model: Source, params: Source, credentials: Mapping[str, Source]) -> tuple[str, str] | None:
    """Adds the provider of a model. Returns its name and what the model is called there."""
    draft = model.draft
    wanted, unset = filled(_variable(params.text("model")), draft.environ)
    holder = credentials.get(params.text("litellm_credential_name"), params)
    if unset or "*" in wanted + model.text("model_name"):
        why = f"{unset[0]} is not set" if unset else "It stands for all models of a provider"
        draft.leave_out(model.path, f"{why}: add an assistant for each that you use.")
        return None
    service, llm = service_of(wanted, params.text("custom_llm_provider"))
    address = _variable(holder.text("api_base", "base_url") or params.text("api_base", "base_url"))
    if service is None and not address:
        draft.leave_out(
            model.path, "This product speaks to no such provider: docs/api.md lists those it does."
        )
        return None
    key = _variable(holder.text("api_key") or params.text("api_key"))
    if service and not key and service.variable and not (service.kind == "openai" and address):
        key = f"${{{service.variable}}}"
    title, kind = (service.title, service.kind) if service else ("OpenAI-compatible", "openai")
    if title == "Azure OpenAI":
        address = f"{address.rstrip('/')}/openai/v1" if address and "/openai" not in address else address
        params.skip("api_version")
    name = add_provider(
        draft, title, model.path, kind=kind, base_url=address or (service.base_url if service else ""),
        api_key=key, default_model=llm,
    )  # fmt: skip
    return (name, llm) if name else None


def _add_deployment(other: AssistantEntry, provider: str, llm: str, model: Source) -> None:
    """Of several deployments of one model the second is asked where the first fails. No more than two."""
    if (other.provider, other.model) == (provider, llm):
        model.draft.leave_out(model.path, f"It is the model that {other.slug} has already.")
    elif not other.fallback_provider:
        other.fallback_provider, other.fallback_model = provider, llm
        model.draft.leave_out(
            model.path, f"Requests are not spread over deployments: it is the fallback of {other.slug}."
        )
    else:
        model.draft.leave_out(
            model.path, f"{other.slug} has a provider and a fallback already, and no more than two."
        )


def _routes(settings: Source, targets: Mapping[str, AssistantEntry]) -> None:
    """Reads fallbacks and aliases; of both kinds of settings, since each may have them."""
    for path, each in settings.items("fallbacks"):
        rule = Source(each, path, settings.draft)
        for name in rule.names():
            _fall_back(
                targets.get(name),
                [targets.get(other) for other in rule.texts(name)],
                rule.at(name),
                settings.draft,
            )
    aliases = settings.part("model_group_alias")
    for alias in aliases.names():
        other = aliases.value(alias)
        wanted = other.get("model") if isinstance(other, dict) else other
        assistant = targets.get(str(wanted))
        if assistant is None or not settings.draft.add_alias(assistant, alias):
            settings.draft.leave_out(aliases.at(alias), "No model that came over can have this alias.")
    settings.finish(NO_PLACE)


def _fall_back(
    assistant: AssistantEntry | None, others: list[AssistantEntry | None], path: str, draft: Draft
) -> None:
    other = others[0] if others else None
    if assistant is None or other is None:
        draft.leave_out(path, "It names a model that did not come over.")
        return
    if assistant.fallback_provider:
        draft.leave_out(path, f"{assistant.slug} has a fallback already, and no more than one.")
        return
    assistant.fallback_provider, assistant.fallback_model = other.provider, other.model
    if len(others) > 1:
        draft.leave_out(path, "Only the first fallback came over: an assistant has no more than one.")


def _add_servers(file: Source) -> None:
    """Adds the servers, and one assistant that offers what /mcp of LiteLLM offered."""
    uses = []
    for name, server in _servers(file):
        allowed = sorted(set(server.texts("allowed_tools")))
        if entry := _add_server(name, server):
            uses.append(UseEntry(server=entry.slug, functions=allowed or None))
    if uses:
        file.draft.add_assistant(
            TOOLS,
            description="All tools that LiteLLM offered at /mcp; here at /mcp/a/litellm-tools.",
            tools=uses,
        )


def _servers(file: Source) -> Iterator[tuple[str, Source]]:
    """Yields servers with their names. Of a list, too: some of its documentation has them so."""
    if not isinstance(file.value("mcp_servers"), list):
        yield from file.parts_by_name("mcp_servers")
        return
    for server in file.parts("mcp_servers"):
        yield server.text("server_name", default="server"), server


def _add_server(name: str, server: Source) -> ServerEntry | None:
    if server.text("spec_path"):
        server.draft.leave_out(
            server.path, "An OpenAPI description is no MCP server: put one in front of the service."
        )
        return None
    headers = {key: of_litellm(value) for key, value in _texts(server, "static_headers").items()}
    written = {
        "type": server.text("transport") or None,
        "command": server.text("command") or None,
        "args": [of_litellm(arg) for arg in server.texts("args")],
        "env": {key: of_litellm(value) for key, value in _texts(server, "env").items()},
        "url": _variable(server.text("url")) or None,
        "headers": {**_authentication(server), **headers},
        "disabled": is_off(server),
    }
    disallowed = {tool: ToolEntry(is_enabled=False) for tool in server.texts("disallowed_tools")}
    timeout = server.number("timeout")
    entry = add_server(
        server.draft, server.text("alias") or name, written, server.path, tools=disallowed,
        description=server.text("description"),
        call_timeout_s=seconds(timeout * 1000, 600) if timeout else None,
    )  # fmt: skip
    server.skip("server_id", "server_name")
    server.finish(
        NO_PLACE,
        access_groups="Make an assistant of each group, with its servers.",
        mcp_access_groups="Make an assistant of each group, with its servers.",
        extra_headers="Headers of callers are not passed on to servers.",
        allow_all_keys="Let the keys call an assistant that uses it.",
        allowed_params="Rules say which arguments a call may have: see docs/approvals.md.",
        registration_url=LOG_IN,
        client_id=LOG_IN, client_secret=LOG_IN, token_url=LOG_IN, authorization_url=LOG_IN, scopes=LOG_IN,
    )  # fmt: skip
    return entry


def _authentication(server: Source) -> dict[str, str]:
    kind, credentials = server.text("auth_type").lower(), server.part("credentials")
    value = server.text("auth_value", "authentication_token") or credentials.text("auth_value")
    value = of_litellm(value)
    credentials.finish(LOG_IN)
    schemes = {"bearer_token": "Bearer ", "basic": "Basic ", "token": "token ", "authorization": ""}
    if kind in {"", "none"}:
        return {}
    if kind.startswith("oauth"):
        server.draft.leave_out(server.at("auth_type"), LOG_IN)
        return {}
    if kind not in {*schemes, "api_key"}:
        server.lose("auth_type", "Servers are not called with this kind of credentials here.")
        return {}
    if not value:
        server.lose("auth_type", "The file has no credentials: give a header on its page.")
        return {}
    if kind == "api_key":
        return {"X-API-Key": value}
    if kind == "basic" and ":" in value and not value.startswith("${"):
        value = base64.b64encode(value.encode()).decode()
    return {"Authorization": f"{schemes[kind]}{value}"}


def _texts(server: Source, name: str) -> dict[str, str]:
    part = server.part(name)
    return {each: part.text(each) for each in part.names()}


def _variable(text: Any) -> str:
    return of_litellm(str(text))
