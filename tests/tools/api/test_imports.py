"""Import and export of `mcpServers` JSON as MCP clients write it."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys.models import AuditEntry
from tests.tools.api.importing import URL, VS_CODE, imported, parts
from tests.tools.conftest import fields_of
from tools.models import MCPTool

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
        ({"command": "bash", "args": ["-c", "id"]}, "command"),
        ({"command": "npx", "env": {"NODE_OPTIONS": "--require /tmp/x.js"}}, "env"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"type": "carrier-pigeon", "url": "https://93.184.216.34/"}, "type"),
        ({}, "command"),
        ("npx", "server"),
        (["npx"], "server"),
        ({"command": ["npx"]}, "command"),
        ({"command": {"args": []}}, "command"),
        ({"command": "npx", "env": {"A": {"b": 1}}}, "env"),
        ({"command": "npx", "env": ["A=b"]}, "env"),
        ({"command": "npx", "args": "x"}, "args"),
        ({"command": "npx", "args": [["x"]]}, "args"),
        ({"command": "npx", "disabled": "perhaps"}, "disabled"),
        ({"command": "npx", "enabled": 3}, "enabled"),
        ({"url": "https://93.184.216.34/", "headers": {"Host": "x"}}, "headers"),
        ({"transport": {"type": ["sse"]}}, "type"),
    ],
)
def test_a_bad_server_is_refused_at_its_field_and_keeps_no_other_out(
    api: APIClient, entry: Any, field: str
) -> None:
    good = {"command": "uvx", "args": ["mcp-server-time==2026.1.1"]}
    response = api.post(f"{URL}/import", {"mcpServers": {"a": entry, "good": good}}, format="json")
    assert response.status_code == 207
    refused, created = response.json()
    assert (refused["name"], refused["status"], refused["id"]) == ("a", "refused", None)
    assert list(refused["errors"]) == [field]
    assert (created["name"], created["status"], created["errors"]) == ("good", "created", {})
    assert [server.name for server in MCPTool.objects.all()] == ["good"]


def test_a_file_of_bad_servers_alone_is_refused(api: APIClient) -> None:
    body = {"mcpServers": {"a": {"command": "bash"}, "b": "npx"}}
    assert list(fields_of(api.post(f"{URL}/import", body, format="json"))) == ["a.command", "b.server"]
    assert not MCPTool.objects.exists()


def test_a_second_import_of_the_same_file_changes_nothing(api: APIClient) -> None:
    imported(api, CURSOR)
    before = list(MCPTool.objects.values("slug", "version", "updated_at"))
    response = api.post(f"{URL}/import", CURSOR, format="json")
    assert response.status_code == 200
    assert {row["status"] for row in response.json()} == {"unchanged"}
    assert list(MCPTool.objects.values("slug", "version", "updated_at")) == before


def test_a_taken_name_is_a_conflict_that_names_the_server_and_what_differs(api: APIClient) -> None:
    imported(api, CURSOR)
    body = {"mcpServers": {"OLDER": {"url": "https://93.184.216.34/other/sse"}}}
    response = api.post(f"{URL}/import", body, format="json")
    assert response.status_code == 409
    message = response.json()["error"]["message"]
    assert message.startswith("OLDER.name: ")
    assert "url" in message
    body["mcpServers"]["new"] = {"url": "https://93.184.216.34/"}
    response = api.post(f"{URL}/import", body, format="json")
    assert response.status_code == 207
    assert [row["status"] for row in response.json()] == ["conflict", "created"]
    assert MCPTool.objects.get(slug="older").url == "https://93.184.216.34/sse"


def test_an_import_may_update_what_differs_and_placeholders_keep_what_is_stored(api: APIClient) -> None:
    imported(api, CLAUDE_DESKTOP)
    entry = {
        "command": "npx",
        "args": ["-y", "@modelcontextprotocol/server-github@2026.2.2"],
        "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "<your token>", "LOG_LEVEL": "info"},
    }
    response = api.post(f"{URL}/import?update=true", {"mcpServers": {"github": entry}}, format="json")
    assert response.status_code == 200
    [row] = response.json()
    assert (row["status"], row["slug"], row["missing"], row["is_enabled"]) == ("updated", "github", [], True)
    server = MCPTool.objects.get(slug="github")
    assert server.args[-1].endswith("@2026.2.2")
    assert server.env == {"GITHUB_PERSONAL_ACCESS_TOKEN": TOKEN, "LOG_LEVEL": "info"}


def test_an_update_sends_no_stored_header_to_another_host(api: APIClient) -> None:
    imported(api, CURSOR)
    entry = {"url": "https://93.184.216.35/mcp", "headers": {"Authorization": "${TOKEN}", "X-Mode": "fast"}}
    response = api.post(f"{URL}/import?update=true", {"mcpServers": {"search": entry}}, format="json")
    assert list(fields_of(response)) == ["search.headers"]


def test_a_preview_tells_what_an_import_would_do_and_writes_nothing(api: APIClient) -> None:
    imported(api, {"mcpServers": {"older": CURSOR["mcpServers"]["older"]}})
    body = {"mcpServers": {**CLAUDE_DESKTOP["mcpServers"], **CURSOR["mcpServers"], "bad": {"command": "sh"}}}
    before = list(MCPTool.objects.values()), AuditEntry.objects.count()
    response = api.post(f"{URL}/import/preview", body, format="json")
    assert response.status_code == 200
    assert "canary" not in response.content.decode()
    assert TOKEN not in response.content.decode()
    rows = {row["name"]: row for row in response.json()}
    assert {name: row["status"] for name, row in rows.items()} == {
        "github": "created",
        "linear": "created",
        "search": "created",
        "older": "unchanged",
        "bad": "refused",
    }
    github = rows["github"]
    assert (github["id"], github["slug"], github["command"]) == (None, "github", "npx")
    assert github["env"] == {"GITHUB_PERSONAL_ACCESS_TOKEN": "********", "LOG_LEVEL": "********"}
    assert (rows["search"]["slug"], rows["search"]["connection_type"]) == ("search-2", "streamable_http")
    assert parts(rows["search"], "secrets") == {("url", "exaApiKey"), ("headers", "Authorization")}
    assert (list(MCPTool.objects.values()), AuditEntry.objects.count()) == before
    imported_rows = {row["name"]: row for row in api.post(f"{URL}/import", body, format="json").json()}
    assert {name: row["slug"] for name, row in imported_rows.items()} == {
        name: row["slug"] for name, row in rows.items()
    }


def test_references_are_kept_as_written_and_missing_only_without_a_value(api: APIClient) -> None:
    stdio = {
        "command": "npx",
        "args": ["x@1", "${env:A}", "${B:-b}", "--key=${TOKEN}"],
        "env": {"A": "a", "TOKEN": TOKEN, "LEVEL": "${LEVEL:-debug}"},
    }
    remote = {
        "url": "https://${HOST:-93.184.216.34}/mcp",
        "headers": {"Authorization": "Bearer ${TOKEN}"},
        "env": {"TOKEN": TOKEN},
    }
    unfilled = {"url": "${ADDRESS}"}
    rows = imported(api, {"mcpServers": {"stdio": stdio, "remote": remote, "unfilled": unfilled}})
    assert {name: row["is_enabled"] for name, row in rows.items()} == {
        "stdio": True,
        "remote": True,
        "unfilled": False,
    }
    assert parts(rows["unfilled"], "missing") == {("url", "url")}
    server = MCPTool.objects.get(slug="stdio")
    assert server.args == stdio["args"]
    assert server.env["LEVEL"] == "debug"
    assert MCPTool.objects.get(slug="remote").url == remote["url"]


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


def test_that_a_server_asks_back_is_exported_and_imported(api: APIClient) -> None:
    imported(api, {"mcpServers": {"a": {"command": "npx", "asks_back": True}, "b": {"command": "npx"}}})
    exported = api.get(f"{URL}/export").json()
    assert [each.get("asks_back") for each in exported["mcpServers"].values()] == [True, None]
    assert MCPTool.objects.get(slug="a").asks_back
    changed = {"mcpServers": {"a": {**exported["mcpServers"]["a"], "asks_back": False}}}
    assert api.post(f"{URL}/import", changed, format="json").status_code == 409
