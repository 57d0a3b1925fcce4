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


COMMENTED = b"""\xef\xbb\xbf// what I use
{
  "mcpServers": { /* the clock */
    "time": {"command": "uvx", "args": ["mcp-server-time==2026.1.1", "// no comment",],},
  },
}
"""


def test_a_body_may_have_comments_trailing_commas_and_a_byte_order_mark(api: APIClient) -> None:
    response = api.generic("POST", f"{URL}/import", COMMENTED, content_type="application/json")
    assert response.status_code == 201, response.content
    assert MCPTool.objects.get().args == ["mcp-server-time==2026.1.1", "// no comment"]


def test_a_file_may_come_as_a_text(api: APIClient) -> None:
    assert imported(api, {"text": COMMENTED.decode()}).keys() == {"time"}


@pytest.mark.parametrize("path", ["import", "import/preview"])
def test_an_error_of_syntax_names_line_and_column(api: APIClient, path: str) -> None:
    broken = '{\n  // names\n  "mcpServers": {\n    "a": {"command": npx}\n  }\n}'
    [message] = fields_of(api.post(f"{URL}/{path}", {"text": broken}, format="json"))["text"]
    assert "line 4, column 22" in message
    response = api.generic("POST", f"{URL}/{path}", broken, content_type="application/json")
    assert response.status_code == 400
    assert "line 4 column 22" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "text", [7, None, [], {}, "", "  ", "[]", "null", "{}", "hello", "[1]", '{"a": "\\ud800"}']
)
def test_a_text_without_servers_is_refused(api: APIClient, text: Any) -> None:
    assert api.post(f"{URL}/import", {"text": text}, format="json").status_code == 422


def test_what_only_the_client_knows_is_told(api: APIClient) -> None:
    rows = imported(api, VS_CODE)
    assert any("${input:key}, Key" in text and "X-Api-Key" in text for text in rows["remote"]["warnings"])
    entry = {"command": "npx", "args": ["x@1", "${workspaceFolder}/a"], "env": {"A": "${input:key}"}}
    row = imported(api, {"servers": {"a": entry}})["a"]
    assert parts(row, "missing") == {("args", "${workspaceFolder}/a"), ("env", "A")}
    assert not row["is_enabled"]
    assert "${workspaceFolder}" in " ".join(row["warnings"])


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


def test_that_a_server_asks_back_is_exported_and_imported(api: APIClient) -> None:
    imported(api, {"mcpServers": {"a": {"command": "npx", "asks_back": True}, "b": {"command": "npx"}}})
    exported = api.get(f"{URL}/export").json()
    assert [each.get("asks_back") for each in exported["mcpServers"].values()] == [True, None]
    assert MCPTool.objects.get(slug="a").asks_back
    changed = {"mcpServers": {"a": {**exported["mcpServers"]["a"], "asks_back": False}}}
    assert api.post(f"{URL}/import", changed, format="json").status_code == 409


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


MALFORMED = [
    "http://[::1",
    "http://a:b:c/",
    "http://[x]/",
    "http://exa mple/",
    "https://",
    "https://:443/",
    "https:///mcp",
    "https://a.example:99999/",
    "https://a.example:-1/",
    "https://a.example:/x y",
    "ftp://a.example/",
    "a.example/mcp",
    "http://a\\@b/",
    "https://a..example/",
    "https://\u2488.example/",
    "https://" + "a" * 64 + ".example/",
    "https://a.example/" + "x" * 2048,
]


@pytest.mark.parametrize("url", [*MALFORMED, "https://u:p@[::1/mcp?key=x"])
def test_a_malformed_address_is_refused_at_its_field(api: APIClient, url: str) -> None:
    entry = {"type": "sse", "url": url}
    response = api.post(f"{URL}/import", {"mcpServers": {"a": entry}}, format="json")
    assert list(fields_of(response)) == ["a.url"]
    body = {"name": "b", "connection_type": "sse", "url": url}
    assert list(fields_of(api.post(URL, body, format="json"))) == ["url"]
    del body["name"]
    assert list(fields_of(api.post(f"{URL}/test", body, format="json"))) == ["url"]
    imported(api, {"mcpServers": {"c": {"url": "https://93.184.216.34/mcp"}}})
    assert list(fields_of(api.patch(f"{URL}/c", {"url": url}, format="json"))) == ["url"]
    assert list(fields_of(api.post(f"{URL}/c/test", {"url": url}, format="json"))) == ["url"]


@pytest.mark.parametrize("url", ["https://me:secret@93.184.216.34/", "https://token@93.184.216.34/"])
def test_credentials_in_an_address_belong_in_a_header(api: APIClient, url: str) -> None:
    body = {"name": "b", "connection_type": "sse", "url": url}
    [message] = fields_of(api.post(URL, body, format="json"))["url"]
    assert "Authorization" in message
    assert "secret" not in message


@pytest.mark.parametrize("port", ["99999", "x", "1/../:2"])
def test_an_address_is_checked_with_its_references_filled(api: APIClient, port: str) -> None:
    url = "https://${HOST}:${PORT:-" + port + "}/"
    body = {"name": "b", "connection_type": "sse", "url": url, "env": {"HOST": "169.254.169.254"}}
    assert list(fields_of(api.post(URL, body, format="json"))) == ["url"]
    body["url"] = "https://${HOST}/"
    [message] = fields_of(api.post(URL, body, format="json"))["url"]
    assert "metadata" in message
