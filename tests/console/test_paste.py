"""Pasting the file of an MCP client: a preview that writes nothing, then the servers are registered."""

import json

import pytest
from django.test import Client

from tests.console.test_servers import member
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
PAGE = "/admin/tools/mcptool/paste/"
FILE = """{
  // of Claude Desktop
  "mcpServers": {
    "time": {"command": "uvx", "args": ["mcp-server-time"]},
    "git": {
      "command": "uvx", "args": ["mcp-server-git"],
      "env": {"GITHUB_TOKEN": "ghp_canary0123456789abcdef0123456789"}
    },
    "bad": {"command": ["uvx"], "args": 7},
  },
}"""


def test_a_preview_tells_everything_and_writes_nothing(admin_client: Client) -> None:
    page = admin_client.post(PAGE, {"text": FILE, "do": "preview"})
    text = page.content.decode()
    for expected in (
        "uvx mcp-server-time",
        "env: GITHUB_TOKEN",
        "Register 2 servers",
        "Not possible",
        "command:",
    ):
        assert expected in text
    above, _, box = text.partition('name="text"')
    assert "ghp_canary" not in above
    assert "ghp_canary" in box  # what was typed stays in its box
    assert not MCPTool.objects.exists()


def test_what_was_confirmed_is_registered_and_its_text_is_not_shown_again(admin_client: Client) -> None:
    text = admin_client.post(PAGE, {"text": FILE, "do": "apply"}).content.decode()
    assert "2 servers were registered" in text
    assert "ghp_canary" not in text
    assert {server.name for server in MCPTool.objects.all()} == {"time", "git"}
    assert MCPTool.objects.get(name="git").env["GITHUB_TOKEN"].startswith("ghp_canary")


def test_a_registered_server_is_changed_only_if_that_was_ticked(admin_client: Client) -> None:
    admin_client.post(PAGE, {"text": FILE, "do": "apply"})
    other = json.dumps({"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time@1"]}}})
    assert "Name is taken" in admin_client.post(PAGE, {"text": other, "do": "apply"}).content.decode()
    admin_client.post(PAGE, {"text": other, "do": "apply", "update": "on"})
    assert MCPTool.objects.get(name="time").args == ["mcp-server-time@1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Paste the file"),
        ('{\n  "mcpServers": {\n    "a" {}\n  }\n}', "line 3, column"),
        ("[]", "an object with the servers by name"),
        ("{}", "Give at least one server"),
        ('{"mcpServers": 7}', "as an object, by name"),
        ('{"mcpServers": {"a": {}, "a": {}}}', "twice"),
    ],
)
def test_what_is_wrong_is_told_with_where(admin_client: Client, text: str, told: str) -> None:
    for do in ("preview", "apply"):
        page = admin_client.post(PAGE, {"text": text, "do": do})
        assert page.status_code == 422
        assert told in page.content.decode()


def test_hostile_names_are_text(admin_client: Client) -> None:
    name = '</h3><script>alert(1)</script>\u202e" x-data="evil()'
    file = json.dumps({"mcpServers": {name: {"command": "uvx", "args": ["x"]}}})
    page = admin_client.post(PAGE, {"text": file, "do": "preview"}).content.decode()
    assert "<script>alert" not in page
    assert ' x-data="evil()' not in page


@pytest.mark.parametrize("group", ["viewer", "auditor", "operator"])
def test_pasting_is_for_managers(client: Client, group: str) -> None:
    member(group, client)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"text": FILE, "do": "apply"}).status_code == 403
    assert PAGE not in client.get("/admin/tools/mcptool/").content.decode()
    assert not MCPTool.objects.exists()


def test_the_list_leads_managers_to_it(client: Client) -> None:
    assert PAGE in member("manager", client).get("/admin/tools/mcptool/").content.decode()
