"""The whole example of each product: what it becomes, and what is said to have no place."""

import pytest

from apikeys.models import ApiKey
from assistants.models import Assistant, Provider
from tests.assistants.importers import scene
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db


def uses(slug: str) -> dict[str, list[str] | None]:
    """Returns which tools of which servers an assistant has."""
    assistant = Assistant.objects.get(slug=slug)
    return {use.mcp_tool.slug: use.functions for use in assistant.uses}


def test_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, report = scene.run("litellm")

    assert {line for line in lines if line[0] == "+" and "tool" not in line.split()} == {
        "+ provider OpenAI", "+ provider Azure OpenAI", "+ provider Anthropic",
        "+ server github", "+ server zapier", "+ server circle", "+ server calendar", "+ server exa",
        "+ server agentcore", "+ API key support desk", "+ API key batch", "+ API key of a team",
        "+ API key stopped",
        "+ assistant gpt-4o", "+ assistant claude-sonnet", "+ assistant litellm-tools",
    }  # fmt: skip
    model = Assistant.objects.select_related("provider", "fallback_provider").get(slug="gpt-4o")
    assert (model.provider.api_key, model.model) == ("canary-of-the-environment", "gpt-4o")
    assert model.fallback_provider.base_url == "https://acme.openai.azure.com/openai/v1"
    assert (model.fallback_provider.api_key, model.fallback_model) == ("canary-azure-key", "gpt-4o-eu")
    assert (model.aliases, model.parameters) == (["gpt-4"], {"temperature": 0.2, "extra": {"seed": 7}})
    other = Assistant.objects.select_related("fallback_provider").get(slug="claude-sonnet")
    assert (other.fallback_provider.name, other.fallback_model) == ("OpenAI", "gpt-4o")

    github, zapier, circle = (MCPTool.objects.get(slug=slug) for slug in ("github", "zapier", "circle"))
    assert (github.headers, github.env) == ({"Authorization": "Bearer ${GITHUB_TOKEN}"}, {"GITHUB_TOKEN": ""})
    assert (github.is_enabled, zapier.is_enabled) == (False, True)
    assert zapier.headers == {"Authorization": "Basic bWU6Y2FuYXJ5LXBhc3N3b3Jk", "X-Team": "blue"}
    assert (circle.connection_type, circle.env) == ("stdio", {"CIRCLECI_TOKEN": "canary-circle"})
    assert uses("litellm-tools") == {
        "github": ["get_issue", "list_issues"], "zapier": None, "circle": None, "calendar": None,
        "exa": None, "agentcore": None,
    }  # fmt: skip
    assert MCPTool.objects.get(slug="exa").env == {"EXA_KEY": "canary-of-the-file"}
    assert not ToolFunction.objects.get(name="delete_all").is_enabled

    key = ApiKey.objects.get(name="support desk")
    assert (key.requests_per_minute, key.tokens_per_minute, key.concurrent_requests) == (60, 90000, 4)
    assert [each.slug for each in key.assistants.all()] == ["gpt-4o"]
    batch = ApiKey.objects.get(name="batch")
    assert (batch.is_disabled, batch.expires_at.year, batch.assistants.count()) == (True, 2099, 3)
    team, stopped = ApiKey.objects.get(name="of a team"), ApiKey.objects.get(name="stopped")
    assert (team.is_disabled, team.assistants.count()) == (False, 0)
    assert (stopped.is_disabled, stopped.requests_per_minute, stopped.assistants.count()) == (True, None, 3)

    assert scene.left_out(report).keys() >= {
        "model_list[0].litellm_params.rpm", "model_list[1]", "model_list[3]", "model_list[4]",
        "model_list[5]", "model_list[6]", "model_list[6].litellm_params.timeout", "model_list[7]",
        "credential_list[0].credential_values.tenant_id", "router_settings.routing_strategy",
        "litellm_settings.drop_params",
        "litellm_settings.fallbacks[0].Claude Sonnet", "mcp_servers.github.access_groups",
        "mcp_servers.github.extra_headers", "mcp_servers.calendar.auth_type", "mcp_servers.petstore",
        "mcp_servers.exa.available_on_public_internet", "mcp_servers.exa.mcp_info",
        "mcp_servers.agentcore.aws_secret_access_key", "mcp_servers.shell", "keys[0]", "keys[0].max_budget",
        "keys[2].models", "keys[2].object_permission", "keys[3]", "keys[4]", "general_settings.master_key",
        "general_settings.database_url",
    }  # fmt: skip
    assert "VLLM_BASE is not set" in scene.left_out(report)["model_list[3]"]
    assert "begins with ak-" in scene.left_out(report)["keys[0]"]
    assert "MCP_ALLOWED_COMMANDS" in scene.left_out(report)["mcp_servers.shell"]
    assert "server github: give it the variable GITHUB_TOKEN, and start it." in scene.to_do(report)

    monkeypatch.setenv("VLLM_BASE", "https://vllm.example.com/v1")
    assert scene.run("litellm")[0] == ["+ provider OpenAI 2", "+ assistant local"]


def test_mcphub() -> None:
    lines, report = scene.run("mcphub")

    assert {"+ server fetch", "+ server amap", "+ assistant web", "+ API key team"} <= set(lines)
    amap = MCPTool.objects.get(slug="amap")
    assert (amap.url, amap.env) == ("https://mcp.amap.example.com/mcp?key=${AMAP_KEY}", {"AMAP_KEY": ""})
    assert (amap.call_timeout_s, amap.asks_back, amap.is_enabled) == (120, True, False)
    assert uses("web") == {"fetch": ["fetch", "other"], "amap": None}
    assert uses("quiet") == {}
    tool = ToolFunction.objects.get(name="fetch")
    assert (tool.is_enabled, tool.overrides) == (False, {"description": "Gets a page."})
    team, single = ApiKey.objects.get(name="team"), ApiKey.objects.get(name="single")
    assert [each.slug for each in team.assistants.all()] == ["web"]
    assert (single.is_disabled, single.assistants.count()) == (True, 0)
    assert scene.left_out(report).keys() == {
        "mcpServers.fetch.prompts", "mcpServers.amap.oauth", "mcpServers.amap.options.resetTimeoutOnProgress",
        "mcpServers.petstore", "groups[0].servers[0].alias", "groups[0].servers[0].prompts",
        "groups[0].servers[2]", "groups[1].servers[0]", "bearerKeys[0]", "bearerKeys[0].allowedGroups",
        "bearerKeys[1]", "bearerKeys[1].allowedServers", "users[0]", "systemConfig.routing",
        "mcpServers.fetch.startOnDemand",
    }  # fmt: skip


def test_metamcp() -> None:
    lines, report = scene.run("metamcp")

    assert {"+ server hackernews", "+ server search-2", "+ server legacy", "+ assistant research"} <= set(
        lines
    )
    search = MCPTool.objects.get(name="Search")
    assert search.headers == {"X-Custom": "canary-custom", "Authorization": "Bearer canary-token"}
    assert search.connection_type == "streamable_http"
    assert uses("research") == {"hackernews": None, "legacy": None}
    assert Assistant.objects.get(slug="research").aliases == ["research-public"]
    assert not ToolFunction.objects.get(server__slug="hackernews", name="get_stories").is_enabled
    user = ToolFunction.objects.get(server__slug="hackernews", name="get_user")
    assert (user.is_enabled, user.overrides) == (
        True,
        {"name": "find_user", "description": "Finds somebody."},
    )
    assert scene.left_out(report).keys() == {
        "mcpServers.Pets", "namespaces[0].servers[1]", "namespaces[0].tools[0]", "namespaces[0].middlewares",
        "namespaces[0].tools[1]", "namespaces[0].tools[1].overrideTitle", "endpoints[0].enable_api_key_auth",
        "endpoints[0].enable_oauth", "endpoints[0].enable_max_rate", "endpoints[0].max_rate", "endpoints[1]",
        "apiKeys[0]",
    }  # fmt: skip
    assert any("/mcp/a/research" in step for step in scene.to_do(report))


def test_contextforge() -> None:
    lines, report = scene.run("contextforge")

    assert lines == [
        "+ server production-east", "+ server old-one", "+ server signed", "+ server searching",
        "+ tool production-east__delete", "~ tool production-east__delete: is_enabled: true -> false",
        "+ assistant ai-tools",
    ]  # fmt: skip
    east, old = MCPTool.objects.get(slug="production-east"), MCPTool.objects.get(slug="old-one")
    assert east.headers == {"Authorization": "Bearer ${PRODUCTION_EAST_TOKEN}"}
    assert (east.is_enabled, old.is_enabled, old.connection_type) == (False, False, "sse")
    assert uses("ai-tools") == {"production-east": ["get-issue", "get_issue", "search"]}
    assert scene.left_out(report).keys() == {
        "entities.gateways[0].passthrough_headers", "entities.gateways[2].auth_type",
        "entities.gateways[2].oauth_config", "entities.gateways[3].auth_type", "entities.tools[0]",
        "entities.servers[0].tool_ids",
        "entities.servers[0].associated_prompts", "entities.prompts[0]", "entities.resources[0]",
        "entities.roots[0]",
    }  # fmt: skip
    steps = "\n".join(scene.to_do(report))
    assert "PRODUCTION_EAST_TOKEN (the token, which is encrypted in the export)" in steps
    assert "clients of /servers/8f2/jsonrpc, /servers/8f2/sse use /mcp/a/ai-tools now" in steps
    assert "getIssue as getissue" in steps


def test_open_webui() -> None:
    lines, report = scene.run("open-webui")

    assert lines == [
        "+ provider api.openai.com", "+ provider house", "+ server tickets", "+ server signed",
        "+ tool tickets__drop", "~ tool tickets__drop: is_enabled: true -> false",
        "+ assistant support", "+ assistant house-writer",
    ]  # fmt: skip
    support = Assistant.objects.select_related("provider").get(slug="support")
    assert (support.provider.api_key, support.model) == ("canary-openai", "gpt-4o-mini")
    assert (support.system_prompt, support.parameters) == ("You help {{USER_NAME}}.", {"temperature": 0.3})
    assert uses("support") == {"tickets": ["find"]}
    writer = Assistant.objects.select_related("provider").get(slug="house-writer")
    assert (writer.provider.name, writer.model, writer.aliases) == ("house", "large-1", ["house.writer"])
    assert not writer.is_enabled
    tickets = MCPTool.objects.get(slug="tickets")
    assert tickets.headers == {"X-Team": "blue", "Authorization": "Bearer canary-tickets"}
    assert scene.left_out(report).keys() == {
        "openai[2]", "openai.api_configs.1.auth_type", "openai.api_configs.1.headers",
        "openai.api_configs.2", "openai.api_configs.7", "tool_server.connections[0].headers.X-Who",
        "tool_server.connections[0].config.access_grants", "tool_server.connections[1].auth_type",
        "tool_server.connections[1].info.oauth_client_info", "tool_server.connections[2]",
        "workspace_models[0].meta.toolIds", "workspace_models[0].params.mirostat",
        "workspace_models[0].meta.knowledge", "workspace_models[0].meta.capabilities",
        "workspace_models[0].access_control", "models", "direct", "ui",
    }  # fmt: skip


def test_librechat() -> None:
    lines, report = scene.run("librechat")

    assert lines == [
        "+ provider Mistral", "+ provider Own", "+ provider OpenAI", "+ server github", "+ server files",
        "+ server catalog", "+ server vault", "+ assistant notes", "+ assistant agent-1",
    ]  # fmt: skip
    github, files = MCPTool.objects.get(slug="github"), MCPTool.objects.get(slug="files")
    assert github.headers == {"Authorization": "Bearer ${GITHUB_PAT}"}
    assert (github.start_timeout_s, files.env, files.is_enabled) == (15, {"LOG": ""}, False)
    assert MCPTool.objects.get(slug="catalog").headers == {"X-Catalog": "canary-catalog"}
    notes = Assistant.objects.select_related("provider").get(slug="notes")
    assert (notes.provider.name, notes.model, notes.name) == ("Mistral", "mistral-large", "Meeting notes")
    assert (notes.system_prompt, notes.parameters) == (
        "You write notes. Today is {{current_date}}.",
        {"temperature": 0.4},
    )
    assert uses("notes") == {"files": None}
    helper = Assistant.objects.select_related("provider").get(name="Helper")
    assert (helper.provider.name, helper.aliases, helper.system_prompt) == (
        "OpenAI",
        ["agent_1"],
        "Be brief.",
    )
    assert uses("agent-1") == {"github": ["list_issues"], "files": None}
    assert scene.left_out(report).keys() >= {
        "endpoints.custom[0].models.default", "endpoints.custom[0].addParams", "endpoints.custom[1].apiKey",
        "mcpServers.github.headers.X-User", "mcpServers.catalog.serverInstructions",
        "mcpServers.catalog.startup", "mcpServers.catalog.obo", "mcpServers.vault.apiKey",
        "mcpServers.socket",
        "modelSpecs.list[0].mcpServers[1]",
        "modelSpecs.list[0].preset.resendFiles", "agents[0].tools", "agents[0].tool_resources", "interface",
    }  # fmt: skip
    assert "provider Mistral: give it its API key: MISTRAL_KEY was not set." in scene.to_do(report)
    assert "assistant notes: nothing fills {{...}} in its system prompt here." in scene.to_do(report)


def test_claude() -> None:
    lines, report = scene.run("claude")

    assert lines == ["+ server github", "+ server files", "+ server inside", "+ server files-2"]
    assert MCPTool.objects.get(slug="github").url == "${API_BASE:-https://api.githubcopilot.com}/mcp/"
    assert MCPTool.objects.get(slug="files-2").args == ["-y", "other@1.0.0"]
    assert scene.left_out(report).keys() == {
        "mcpServers.github", "mcpServers.files.alwaysAllow", "mcpServers.inside.headersHelper",
        "mcpServers.inside.alwaysLoad", "mcpServers.inside.oauth", "projects./home/me/shop", "the file",
    }  # fmt: skip


def test_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "canary-of-the-environment")
    lines, report = scene.run("cursor")

    assert lines == ["+ server linear", "+ server local"]
    local = MCPTool.objects.get(slug="local")
    assert local.env == {"KEY": "canary-of-the-environment", "WORKSPACEFOLDER": ""}
    assert local.args == ["${WORKSPACEFOLDER}/server.py"]
    assert MCPTool.objects.get(slug="linear").connection_type == "sse"
    assert scene.left_out(report).keys() == {
        "mcpServers.linear.auth", "mcpServers.local.envFile", "mcpServers.docker",
    }  # fmt: skip


def test_vscode() -> None:
    lines, report = scene.run("vscode")

    assert lines == ["+ server github", "+ server fetch"]
    github = MCPTool.objects.get(slug="github")
    assert github.headers == {"Authorization": "Bearer ${GITHUB_TOKEN}"}
    assert scene.to_do(report) == [
        "server github: give it the variable GITHUB_TOKEN (GitHub token), and start it.",
        "server fetch: give it the variable REGION (Region), and start it.",
    ]
    assert scene.left_out(report).keys() == {
        "servers.Fetch.cwd", "servers.Fetch.dev", "servers.Fetch.sandboxEnabled", "inputs[1].options",
        "inputs[1].default", "the file",
    }  # fmt: skip


@pytest.mark.parametrize("product", scene.PRODUCTS)
def test_a_trial_says_the_same_and_changes_nothing(product: str) -> None:
    tried = scene.run(product, options=("--dry-run",))

    assert not (MCPTool.objects.exists())
    assert not (Assistant.objects.exists())
    assert not (Provider.objects.exists())
    assert scene.run(product) == tried


@pytest.mark.parametrize("product", scene.PRODUCTS)
@pytest.mark.parametrize("options", [(), ("--update",)])
def test_a_second_import_changes_nothing(product: str, options: tuple[str, ...]) -> None:
    _, report = scene.run(product)

    lines, again = scene.run(product, options=options)

    assert lines == []
    assert scene.left_out(again) == scene.left_out(report)


@pytest.mark.parametrize("product", scene.PRODUCTS)
@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--to",)])
def test_no_secret_is_printed_or_written(product: str, options: tuple[str, ...], tmp_path) -> None:
    target = tmp_path / "config.yaml"
    lines, report = scene.run(product, options=(*options, str(target)) if "--to" in options else options)

    written = target.read_text() if target.exists() else ""
    assert "canary" not in "\n".join([*lines, *report, written])
    assert ("--to" in options) == bool(written)
