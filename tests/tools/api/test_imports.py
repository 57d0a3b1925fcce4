"""Import and export of `mcpServers` JSON as MCP clients write it."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys.models import AuditEntry
from tests.tools.conftest import fields_of
from tools.models import MCPTool

URL = "/api/v1/mcp-tools"
TOKEN = "ghp_" + "0123456789abcdefABCDEF0123456789abcd"
CLAUDE_DESKTOP = {
    "mcpServers": {
        "github": {
            "command": "npx",
            "args": ["-y", "@modelcontextprotocol/server-github@2026.1.1"],
            "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": TOKEN, "LOG_LEVEL": "debug"},
        },
        "linear": {
            "command": "npx",
            "args": [
                "-y",
                "mcp-remote@1.0.0",
                "https://93.184.216.34/sse",
                "--header",
                "Authorization: Bearer lin_x",
            ],
        },
    }
}
CURSOR = {
    "mcpServers": {
        "search": {
            "url": "https://93.184.216.34/mcp?exaApiKey=5f1c-canary",
            "headers": {"Authorization": "Bearer canary", "X-Mode": "fast"},
        },
        "older": {"url": "https://93.184.216.34/sse"},
    }
}
VS_CODE = {
    "inputs": [{"type": "promptString", "id": "key", "description": "Key", "password": True}],
    "servers": {
        "perplexity": {
            "type": "stdio",
            "command": "uvx",
            "args": ["server-perplexity"],
            "env": {"PERPLEXITY_API_KEY": "${input:key}"},
        },
        "remote": {
            "type": "http",
            "url": "https://93.184.216.34/mcp",
            "headers": {"X-Api-Key": "${input:key}"},
        },
    },
}


def imported(api: APIClient, body: Any) -> dict[str, dict[str, Any]]:
    response = api.post(f"{URL}/import", body, format="json")
    assert response.status_code == 201, response.content
    return {row["name"]: row for row in response.json()}


def parts(row: dict[str, Any], which: str) -> set[tuple[str, str]]:
    return {(part["field"], part["name"]) for part in row[which]}


def test_servers_of_claude_desktop_run_and_their_secrets_are_extracted(api: APIClient) -> None:
    rows = imported(api, CLAUDE_DESKTOP)
    assert parts(rows["github"], "secrets") == {("env", "GITHUB_PERSONAL_ACCESS_TOKEN")}
    assert parts(rows["linear"], "secrets") == {("args", "Authorization")}
    github = MCPTool.objects.get(slug="github")
    assert (github.command, github.env["GITHUB_PERSONAL_ACCESS_TOKEN"], github.is_enabled) == (
        "npx",
        TOKEN,
        True,
    )
    assert api.get(f"{URL}/linear").json()["args"][-1] == "Authorization: ********"


def test_servers_of_cursor_are_reached_by_url(api: APIClient) -> None:
    rows = imported(api, CURSOR)
    assert parts(rows["search"], "secrets") == {("url", "exaApiKey"), ("headers", "Authorization")}
    kinds = dict(MCPTool.objects.values_list("slug", "connection_type"))
    assert kinds == {"search-2": "streamable_http", "older": "sse"}  # `mcp-tools/search` is taken


def test_prompts_of_vs_code_are_missing_and_the_servers_are_stopped(api: APIClient) -> None:
    rows = imported(api, VS_CODE)
    assert parts(rows["perplexity"], "missing") == {("env", "PERPLEXITY_API_KEY")}
    assert parts(rows["remote"], "missing") == {("headers", "X-Api-Key")}
    assert not any(row["is_enabled"] or row["secrets"] for row in rows.values())


def test_no_secret_is_in_the_database_the_answer_or_the_audit_trail(api: APIClient) -> None:
    answer = api.post(f"{URL}/import", CURSOR, format="json").content.decode()
    with_secrets = str(list(AuditEntry.objects.values())) + answer + api.get(URL).content.decode()
    assert "canary" not in with_secrets
    assert "canary" not in str(list(MCPTool.objects.extra(select={"raw": "url || headers"}).values("raw")))


def test_credentials_in_a_url_become_a_header(api: APIClient) -> None:
    row = imported(api, {"mcpServers": {"a": {"url": "https://me:p%40ss@93.184.216.34/mcp"}}})["a"]
    server = MCPTool.objects.get()
    assert server.url == "https://93.184.216.34/mcp"
    assert server.headers == {"Authorization": "Basic bWU6cEBzcw=="}
    assert ("url", "credentials") in parts(row, "secrets")


def test_unwise_and_ignored_settings_are_reported(api: APIClient) -> None:
    entry = {
        "command": "npx",
        "args": ["-y", "some-server", "--api-key", "abc"],
        "autoApprove": ["x"],
        "disabled": True,
    }
    row = imported(api, {"mcpServers": {"a": entry}})["a"]
    warnings = " ".join(row["warnings"])
    assert "use variables" in warnings
    assert "some-server@1.2.3" in warnings
    assert "autoApprove" in warnings
    assert row["is_enabled"] is False


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"command": "bash", "args": ["-c", "id"]}, "a.command"),
        ({"command": "npx", "env": {"NODE_OPTIONS": "--require /tmp/x.js"}}, "a.env"),
        ({"url": "http://169.254.169.254/"}, "a.url"),
        ({"type": "carrier-pigeon", "url": "https://93.184.216.34/"}, "a.type"),
        ({}, "a.command"),
        ("npx", "mcpServers"),
        ({"command": ["npx"]}, "mcpServers"),
        ({"command": "npx", "env": {"A": {"b": 1}}}, "mcpServers"),
        ({"command": "npx", "args": "x"}, "mcpServers"),
    ],
)
def test_one_bad_server_is_named_and_none_is_registered(api: APIClient, entry: Any, field: str) -> None:
    good = {"command": "uvx", "args": ["mcp-server-time==2026.1.1"]}
    response = api.post(f"{URL}/import", {"mcpServers": {"good": good, "a": entry}}, format="json")
    assert list(fields_of(response)) == [field]
    assert not MCPTool.objects.exists()


def test_a_taken_name_is_a_conflict_that_names_the_server(api: APIClient) -> None:
    imported(api, CURSOR)
    response = api.post(f"{URL}/import", CURSOR, format="json")
    assert response.status_code == 409
    assert response.json()["error"]["message"].startswith("search: ")


@pytest.mark.parametrize(
    "body", [{}, {"mcpServers": {}}, {"mcpServers": []}, {"mcpServers": {str(n): {} for n in range(101)}}]
)
def test_an_import_without_servers_is_refused(api: APIClient, body: Any) -> None:
    assert api.post(f"{URL}/import", body, format="json").status_code == 422


def test_an_export_holds_no_secret_and_can_be_imported_again(api: APIClient) -> None:
    imported(api, CLAUDE_DESKTOP)
    imported(api, CURSOR)
    exported = api.get(f"{URL}/export").json()
    text = json.dumps(exported)
    assert TOKEN not in text
    assert "canary" not in text
    assert exported["mcpServers"]["github"]["env"]["LOG_LEVEL"] == "${LOG_LEVEL}"
    assert exported["mcpServers"]["search"]["type"] == "http"
    for server in MCPTool.objects.all():
        api.delete(f"{URL}/{server.pk}")
    rows = imported(api, exported)
    assert {name: row["is_enabled"] for name, row in rows.items()} == {
        "github": False,
        "linear": False,
        "search": False,
        "older": True,
    }


def test_a_clients_file_is_taken_with_its_other_settings(api: APIClient) -> None:
    body = {
        "globalShortcut": "Ctrl+X",
        "theme": None,
        "mcpServers": {"a": {"command": "npx", "args": ["x@1"]}},
    }
    assert imported(api, body).keys() == {"a"}
    nested = {
        "editor.fontSize": 12,
        "mcp": {"inputs": [], "servers": {"b": {"url": "https://93.184.216.34/"}}},
    }
    assert imported(api, nested).keys() == {"b"}


def test_numbers_booleans_and_null_are_read_as_clients_read_them(api: APIClient) -> None:
    entry = {"command": "npx", "args": ["x@1", "--port", 8080, True, " a "], "env": {"N": 1, "O": None}}
    row = imported(api, {"mcpServers": {"a": {**entry, "url": None, "type": None, "cwd": "/srv"}}})["a"]
    server = MCPTool.objects.get()
    assert server.args == ["x@1", "--port", "8080", "true", " a "]
    assert server.env == {"N": "1"}
    assert row["warnings"] == ["Ignored: cwd."]


@pytest.mark.parametrize(
    ("entry", "connection_type"),
    [
        ({"url": "https://93.184.216.34/x", "transport": "sse"}, "sse"),
        ({"url": "https://93.184.216.34/sse", "transport": "streamable-http"}, "streamable_http"),
        ({"url": "https://93.184.216.34/sse", "type": "streamableHttp"}, "streamable_http"),
        ({"httpUrl": "https://93.184.216.34/sse"}, "streamable_http"),
        ({"serverUrl": "https://93.184.216.34/sse"}, "sse"),
        ({"command": "npx", "args": ["x@1"], "transport": "stdio"}, "stdio"),
    ],
)
def test_a_named_transport_is_obeyed(api: APIClient, entry: Any, connection_type: str) -> None:
    row = imported(api, {"mcpServers": {"a": entry}})["a"]
    assert MCPTool.objects.get().connection_type == connection_type
    assert not [text for text in row["warnings"] if text.startswith("Ignored")]


@pytest.mark.parametrize(("entry", "is_enabled"), [({"enabled": False}, False), ({"enabled": True}, True)])
def test_a_server_that_is_not_enabled_is_registered_as_stopped(
    api: APIClient, entry: Any, is_enabled: bool
) -> None:
    row = imported(api, {"mcpServers": {"a": {"command": "npx", "args": ["x@1"], **entry}}})["a"]
    assert row["is_enabled"] is is_enabled


@pytest.mark.parametrize("url", ["http://[::1", "http://a:b:c/", "https://u:p@[::1/mcp?key=x", "http://[x]/"])
def test_a_malformed_address_is_refused_at_its_field(api: APIClient, url: str) -> None:
    response = api.post(f"{URL}/import", {"mcpServers": {"a": {"url": url}}}, format="json")
    assert list(fields_of(response)) == ["a.url"]
    body = {"name": "b", "connection_type": "sse", "url": url}
    assert list(fields_of(api.post(URL, body, format="json"))) == ["url"]
    imported(api, {"mcpServers": {"c": {"url": "https://93.184.216.34/mcp"}}})
    assert list(fields_of(api.patch(f"{URL}/c", {"url": url}, format="json"))) == ["url"]
