"""What may be written in the JSON that is imported, and what is refused at its place."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.tools.api.importing import URL, VS_CODE, imported, parts
from tests.tools.conftest import fields_of
from tools.models import MCPTool

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


@pytest.mark.parametrize(
    "body", [{}, {"mcpServers": {}}, {"mcpServers": []}, {"mcpServers": {str(n): {} for n in range(101)}}]
)
def test_an_import_without_servers_is_refused(api: APIClient, body: Any) -> None:
    assert api.post(f"{URL}/import", body, format="json").status_code == 422


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
