"""What every page of the console has: its policy, its errors, and a check against lost changes."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from apikeys import actions as key_actions
from assistants.models import Assistant
from tests.console.pages import BY, SERVERS, errors_of, send
from tools import actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db


def policy(client: Client, address: str) -> dict[str, str]:
    """The content security policy of a page, by directive."""
    directives = client.get(address).headers["Content-Security-Policy"].split("; ")
    return dict(directive.split(" ", 1) for directive in directives)


def test_pages_have_a_content_security_policy(admin_client: Client) -> None:
    console = policy(admin_client, "/admin/")
    assert console["script-src"] == "'self' 'unsafe-eval'"
    assert console["object-src"] == console["base-uri"] == console["frame-ancestors"] == "'none'"
    assert console["img-src"] == "'self' data:"
    assert policy(admin_client, "/api/docs")["script-src"] == "'self'"


@pytest.mark.parametrize("address", ["/admin/", "/admin/login/", SERVERS, f"{SERVERS}add/", "/api/docs"])
def test_pages_load_scripts_of_ours_alone(admin_client: Client, address: str) -> None:
    page = admin_client.get(address, follow=True).content.decode()
    scripts = re.findall(r"<script([^>]*)>", page)
    assert scripts
    for attributes in scripts:
        source = re.search(r'src="([^"]*)"', attributes)
        assert 'type="application/json"' in attributes or (source and source[1].startswith("/")), attributes


@pytest.mark.parametrize("address", ["/admin/nothing/", "/admin/tools/nothing/"])
def test_a_dead_link_of_the_console_is_a_page(admin_client: Client, address: str) -> None:
    response = admin_client.get(address)
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")
    assert "There is no such page" in response.content.decode()


def test_a_login_without_an_address_leads_to_the_overview(client: Client) -> None:
    User.objects.create_user("anna", password="long-enough-7", is_staff=True)
    response = client.post("/admin/login/", {"username": "anna", "password": "long-enough-7"})
    assert response.headers["Location"] == "/admin/"


def test_the_second_of_two_people_is_told_that_the_row_has_changed(admin_client: Client) -> None:
    server = actions.register(by=BY, name="Time", connection_type="stdio", command="python")
    page = admin_client.get(f"{SERVERS}{server.pk}/change/").content.decode()
    seen = re.search(r'name="seen_version" value="(\d+)"', page)
    assert seen
    actions.update(server, by=BY, description="by somebody else")
    told = send(admin_client, SERVERS, server, name="Clock", seen_version=seen[1])
    assert "Somebody else changed this" in errors_of(told)["__all__"][0]
    assert MCPTool.objects.get().name == "Time"
    again = re.search(r'name="seen_version" value="(\d+)"', told.content.decode())
    assert again
    assert send(admin_client, SERVERS, server, name="Clock", seen_version=again[1]).status_code == 302
    assert MCPTool.objects.get().name == "Clock"


def test_there_are_four_groups(db: None) -> None:
    granted = {
        group.name: set(group.permissions.values_list("codename", flat=True)) for group in Group.objects.all()
    }
    assert granted.keys() == {"viewer", "auditor", "operator", "manager"}
    assert "view_run" in granted["viewer"]
    assert not {"view_run_bodies", "view_auditentry", "view_user"} & granted["viewer"]
    assert {"view_run_bodies", "view_auditentry", "view_user"} <= granted["auditor"]
    assert granted["operator"] - granted["viewer"] == {
        "operate_mcptool",
        "call_toolfunction",
        "chat_assistant",
        "decide_approval",
    }
    assert {"add_mcptool", "delete_apikey", "change_user"} <= granted["manager"]


@pytest.mark.parametrize(
    ("path", "item"),
    [("servers/{}/uptime/", "MCP servers"), ("servers/{}/calls/", "MCP servers"), ("", "Overview")],
)
def test_the_sidebar_shows_where_a_page_belongs(
    admin_client: Client, clock: MCPTool, path: str, item: str
) -> None:
    page = admin_client.get(f"/admin/{path.format(clock.pk)}")
    items = [each for group in page.context["sidebar_navigation"] for each in group["items"]]
    assert [str(each["title"]) for each in items if each["active"]] == [item]


def test_tabs_of_keys_and_assistants_belong_to_them(admin_client: Client, helper: Assistant) -> None:
    key = key_actions.issue(by=BY, name="alice").api_key
    for path, item in (
        (f"keys/{key.pk}/access/", "API keys"),
        (f"assistants/assistant/{helper.pk}/cost/", "Assistants"),
    ):
        page = admin_client.get(f"/admin/{path}")
        items = [each for group in page.context["sidebar_navigation"] for each in group["items"]]
        assert [str(each["title"]) for each in items if each["active"]] == [item]


def crumbs(page: Any) -> list[str]:
    return re.findall(r"min-w-0 truncate tracking-tight\">\s*(.*?)\s*<", page.content.decode(), re.S)


def test_a_heading_says_everything_once(admin_client: Client, clock: MCPTool) -> None:
    key = key_actions.issue(by=BY, name="alice").api_key
    for path, expected in (
        ("apikeys/apikey/", ["API keys"]),
        (f"apikeys/apikey/{key.pk}/change/", ["API keys", "alice"]),
        (f"keys/{key.pk}/access/", ["API keys", "alice", "What may this key do?"]),
        (f"servers/{clock.pk}/uptime/", ["MCP servers", "Clock"]),
        ("usage/", ["Usage"]),
    ):
        assert crumbs(admin_client.get(f"/admin/{path}")) == expected
