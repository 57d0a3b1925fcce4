"""The tabs of an assistant: its tools, keys, what its tools cost, and settings for clients."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from apikeys import actions as key_actions
from assistants import actions
from assistants.console import connect
from assistants.models import Assistant, AssistantTool
from tests.console.pages import ASSISTANTS, BY, PROVIDERS, choose_tools, messages_of
from tests.queries import assert_same_queries
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db
TABS = ["tools", "access", "cost", "connect"]


def member_of(group: str) -> Client:
    client = Client()
    user = User.objects.create_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


def address(assistant: Assistant, tab: str) -> str:
    return f"{ASSISTANTS}{assistant.pk}/{tab}/"


def offer(server: MCPTool, *names: str) -> None:
    empty = {"type": "object", "properties": {}}
    catalogue.record(server.pk, [{"name": name, "inputSchema": empty} for name in names])


# --- rights ---


@pytest.mark.parametrize("group", ["viewer", "auditor", "operator", "manager"])
@pytest.mark.parametrize("tab", TABS)
def test_each_group_reads_the_tabs(helper: Assistant, group: str, tab: str) -> None:
    assert member_of(group).get(address(helper, tab)).status_code == 200


@pytest.mark.parametrize("tab", ["tools", "access"])
def test_only_managers_change_an_assistant(helper: Assistant, tab: str) -> None:
    key = key_actions.issue(by=BY, name="alice").api_key
    form = {"uses": "[]", "add": key.pk}
    for group in ("viewer", "auditor", "operator"):
        client = member_of(group)
        assert client.post(address(helper, tab), form).status_code == 403
        assert 'name="seen_version"' not in client.get(address(helper, tab)).content.decode()
    assert member_of("manager").post(address(helper, tab), form).status_code == 302


@pytest.mark.parametrize("tab", [*TABS, "tools/search"])
def test_a_tab_of_nothing_is_not_found(admin_client: Client, tab: str) -> None:
    expected = 200 if tab == "tools/search" else 404
    assert admin_client.get(f"{ASSISTANTS}9999/{tab}/").status_code == expected


@pytest.mark.parametrize("tab", [*TABS, "tools/search"])
def test_a_tab_asks_for_a_login(client: Client, helper: Assistant, tab: str) -> None:
    assert client.get(address(helper, tab)).headers["Location"].startswith("/admin/login/")


def test_a_change_needs_a_csrf_token(helper: Assistant, admin_user: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    assert browser.post(address(helper, "tools"), {"uses": "[]"}).status_code == 403
    assert AssistantTool.objects.exists()


# --- the list ---


def test_the_list_counts_tools_and_keys(admin_client: Client, clock: MCPTool) -> None:
    offer(clock, "now", "then", "later")
    key = key_actions.issue(by=BY, name="alice").api_key
    actions.create(by=BY, name="Whole", tools=[clock], api_keys=[key])
    actions.create(by=BY, name="Part", tools=[actions.ToolUse(clock, ["now"])])
    ToolFunction.objects.filter(name="later").update(is_enabled=False)
    counts = {
        row.name: (row.tool_count, row.key_count) for row in Assistant.objects.with_counts().order_by("name")
    }
    assert counts == {"Part": (1, 0), "Whole": (2, 1)}
    page = admin_client.get(ASSISTANTS).content.decode()
    assert "No key" in page


def test_queries_of_the_list_do_not_grow(admin_client: Client, clock: MCPTool) -> None:
    names = iter("abcdefgh")

    def more() -> None:
        for _ in range(3):
            actions.create(by=BY, name=next(names), tools=[clock])

    more()
    assert_same_queries(lambda: admin_client.get(ASSISTANTS), after=more)


# --- tools ---


def search(client: Client, assistant: Assistant, **query: str) -> list[dict[str, Any]]:
    response: Any = client.get(address(assistant, "tools/search"), query)
    assert response.status_code == 200
    return list(response.json()["servers"])


def test_tools_are_found_by_a_part_of_their_name(
    admin_client: Client, helper: Assistant, clock: MCPTool
) -> None:
    offer(clock, "now", "convert_time", "convert_zone")
    (server,) = search(admin_client, helper, q="convert")
    assert [each["name"] for each in server["functions"]] == ["convert_time", "convert_zone"]
    assert server["count"] == 3


def test_without_a_query_servers_are_listed(admin_client: Client, helper: Assistant, clock: MCPTool) -> None:
    tool_actions.register(by=BY, name="Aaa", connection_type="stdio", command="python")
    assert [each["name"] for each in search(admin_client, helper)] == ["Aaa", "Clock"]
    (server,) = search(admin_client, helper, server=str(clock.pk))
    assert [each["name"] for each in server["functions"]] == ["now"]


def test_what_cannot_be_used_says_why(admin_client: Client, helper: Assistant, clock: MCPTool) -> None:
    offer(clock, "now", "then")
    ToolFunction.objects.filter(name="then").update(is_enabled=False)
    tool_actions.stop(clock, by=BY)
    (server,) = search(admin_client, helper, server=str(clock.pk))
    assert server["problem"] == "Server stopped"
    assert {each["name"]: each["problem"] for each in server["functions"]} == {
        "now": "",
        "then": "Switched off",
    }


@pytest.mark.parametrize("query", ["\0", "%", "x" * 5000, "'", "\\", "\ud800"])
def test_no_query_of_the_picker_fails(admin_client: Client, helper: Assistant, query: str) -> None:
    text = query.encode("utf-8", "surrogatepass")
    response = admin_client.get(address(helper, "tools/search"), {"q": text, "server": text})
    assert response.status_code == 200


def test_queries_of_the_search_do_not_grow(admin_client: Client, helper: Assistant, clock: MCPTool) -> None:
    offer(clock, *(f"convert_{n}" for n in range(3)))
    assert_same_queries(
        lambda: search(admin_client, helper, q="convert"),
        after=lambda: offer(clock, *(f"convert_{n}" for n in range(20))),
    )


def test_the_second_of_two_people_keeps_what_they_chose(
    admin_client: Client, helper: Assistant, clock: MCPTool
) -> None:
    offer(clock, "now", "then")
    actions.update(helper, by=BY, description="by somebody else")
    use = {"server": clock.pk, "functions": ["then"], "pinned": []}
    told: Any = choose_tools(admin_client, helper, use, seen_version="1")
    assert told.status_code == 409
    assert "Somebody else changed this" in told.content.decode()
    assert told.context["uses"][0]["functions"] == ["then"]
    assert AssistantTool.objects.get().functions is None
    seen = told.context["seen_version"]
    assert choose_tools(admin_client, helper, use, seen_version=seen).status_code == 302
    assert AssistantTool.objects.get().functions == ["then"]


def test_texts_of_servers_are_no_markup(admin_client: Client, helper: Assistant, clock: MCPTool) -> None:
    MCPTool.objects.filter(pk=clock.pk).update(name="</script><script>alert(1)</script>\u202e")
    page = admin_client.get(address(helper, "tools")).content.decode()
    assert "<script>alert" not in page
    assert "\u202e" not in page


# --- access ---


def test_keys_are_added_and_removed(admin_client: Client, helper: Assistant) -> None:
    key = key_actions.issue(by=BY, name="alice").api_key
    page = address(helper, "access")
    assert "alice" in admin_client.get(page, {"q": "lic"}).content.decode()
    added = admin_client.post(page, {"add": key.pk, "seen_version": 1}, follow=True)
    assert "alice may call it now" in messages_of(added)
    assert list(helper.api_keys.all()) == [key]
    admin_client.post(page, {"remove": key.pk})
    assert not helper.api_keys.exists()


def test_a_key_that_cannot_call_says_why(admin_client: Client, helper: Assistant) -> None:
    alice = key_actions.issue(by=BY, name="alice").api_key
    bob = key_actions.issue(by=BY, name="bob", can_call_assistant=False).api_key
    actions.update(helper, by=BY, api_keys=[alice, bob])
    key_actions.disable(alice, by=BY)
    page = admin_client.get(address(helper, "access")).content.decode()
    assert "The key is disabled" in page
    assert "The key may not call assistants" in page


def test_a_stale_page_of_keys_changes_nothing(admin_client: Client, helper: Assistant) -> None:
    key = key_actions.issue(by=BY, name="alice").api_key
    actions.update(helper, by=BY, description="by somebody else")
    response = admin_client.post(address(helper, "access"), {"add": key.pk, "seen_version": 1}, follow=True)
    assert "Somebody else changed this" in messages_of(response)
    assert not helper.api_keys.exists()


@pytest.mark.parametrize("key", ["", "x", "9" * 30, "-1", "123456"])
def test_a_key_that_is_not_there_is_not_found(admin_client: Client, helper: Assistant, key: str) -> None:
    assert admin_client.post(address(helper, "access"), {"add": key}).status_code == 404


def test_queries_of_access_do_not_grow(admin_client: Client, helper: Assistant) -> None:
    names = iter("abcdefgh")

    def more() -> None:
        keys = [key_actions.issue(by=BY, name=next(names)).api_key for _ in range(4)]
        actions.update(helper, by=BY, api_keys=[*helper.api_keys.all(), *keys[1:]])

    more()
    assert_same_queries(lambda: admin_client.get(address(helper, "access")), after=more)


# --- connect ---


def test_settings_name_the_address_of_the_request(admin_client: Client, helper: Assistant) -> None:
    page = admin_client.get(address(helper, "connect"), headers={"host": "localhost:8123"}).content.decode()
    assert "http://localhost:8123/v1" in page
    assert "$API_KEY" in page
    assert "BASE_URL" not in page.replace("OPENAI_API_BASE_URL", "")
    assert "http://localhost:8123/mcp/a/helper" in page


def test_settings_name_the_public_address(admin_client: Client, helper: Assistant, settings: Any) -> None:
    settings.PUBLIC_URL = "https://mcp.example.org"
    page = admin_client.get(address(helper, "connect")).content.decode()
    assert "https://mcp.example.org/v1" in page
    assert "testserver" not in page


def test_settings_of_mcp_clients_name_the_assistants_own_endpoint() -> None:
    shown = connect.snippets("https://x", "helper")
    mounting = {each.client.name for each in shown if "https://x/mcp/a/helper" in each.code}
    assert mounting == {"Claude Code", "Cursor", "Claude Desktop", "VS Code"}
    assert all("https://x" in each.code and "MODEL" not in each.code for each in shown)


# --- providers ---


def test_a_providers_key_is_tried(admin_client: Client) -> None:
    provider = actions.add_provider(
        by=BY, name="LLM", base_url="http://127.0.0.1:9/v1", api_key="sk-canary", default_model="m"
    )
    page = f"{PROVIDERS}{provider.pk}/test/"
    told = admin_client.post(page, follow=True)
    assert re.search("m did not answer", messages_of(told))
    assert "canary" not in told.content.decode()
    assert admin_client.get(page).status_code == 405
    assert member_of("operator").post(page).status_code == 403
