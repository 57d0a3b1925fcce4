"""Ctrl-K: what it finds for whom, and what it does."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import ApiKey, AuditEntry
from assistants import actions
from assistants.models import Run
from tests.console.pages import BY
from tests.console.people import client_of, member
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import MCPTool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def things(clock: MCPTool) -> None:
    actions.create(by=BY, name="Clock keeper", slug="keeper")
    key_actions.issue(by=BY, name="clock key")
    Run.objects.create(
        run_id="run_clock_1", request_id="req_clock_1", started_at=timezone.now(), assistant_slug="keeper"
    )


def found(client: Client, term: str) -> set[str]:
    page = client.get("/admin/search/", {"s": term, "extended": 1})
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    return {f"{item.description}: {item.title}" for item in page.context["results"]}


def test_a_manager_finds_everything_and_its_commands() -> None:
    client = client_of("manager")
    assert found(client, "cLOCk") >= {
        "MCP server: Clock",
        "Command: Restart Clock",
        "Tool: clock__now",
        "Assistant: Clock keeper",
        "API key: clock key",
        "Command: Disable clock key",
        "Command: Rotate clock key",
    }
    assert found(client, "run_clock_1") == found(client, "req_clock_1") == {"Run of keeper: run_clock_1"}
    assert "Command: Restart Clock" in found(client, "restart clock")
    assert found(client, "Audit") == {"Page: Audit log"}


@pytest.mark.parametrize("term", ["", " ", "\0", "%", "restart ", "x" * 10_000, "'; --"])
def test_odd_terms_are_no_error(term: str) -> None:
    found(client_of("manager"), term)


def test_each_person_finds_what_they_may_see_and_do() -> None:
    assert found(client_of("viewer"), "clock") == {
        "MCP server: Clock",
        "Tool: clock__now",
        "Assistant: Clock keeper",
        "API key: clock key",
    }
    operator = found(client_of("operator"), "clock")
    assert "Command: Restart Clock" in operator
    assert "Command: Disable clock key" not in operator
    assert found(client_of(None), "clock") == set()
    assert found(client_of(None), "run_clock_1") == set()
    assert "Page: Audit log" not in found(client_of("viewer"), "audit")
    assert Client().get("/admin/search/", {"s": "clock"}).status_code == 302


def test_neither_lost_rights_nor_old_rows_are_remembered() -> None:
    client = client_of("manager")
    assert "MCP server: Clock" in found(client, "clock")
    tool_actions.delete(MCPTool.objects.get(), by=BY, force=True)
    assert "MCP server: Clock" not in found(client, "clock")
    assert "Tool: clock__now" not in found(client, "clock")
    User.objects.get().groups.set(Group.objects.none())
    assert found(client, "clock") == set()


def test_five_thousand_tools_are_searched_in_few_queries(
    clock: MCPTool, django_assert_max_num_queries: Any
) -> None:
    many = [{"name": f"clock_{number}", "inputSchema": {"type": "object"}} for number in range(200)]
    catalogue.record(clock.pk, many)
    client = client_of("manager")
    with django_assert_max_num_queries(14):
        assert len(found(client, "clock")) < 60


def command(name: str, row: Any) -> str:
    return f"/admin/commands/{name}/{row.pk}/"


def test_a_command_asks_and_a_post_does_it(clock: MCPTool) -> None:
    client = client_of("manager")
    page = command("restart", clock)
    assert "Restart Clock?" in client.get(page).content.decode()
    assert MCPTool.objects.get().generation == clock.generation
    assert client.post(page).headers["Location"] == f"/admin/tools/mcptool/{clock.pk}/change/"
    assert MCPTool.objects.get().generation > clock.generation
    key = ApiKey.objects.get()
    assert client.post(command("disable", key)).status_code == 302
    assert ApiKey.objects.get().is_disabled
    assert AuditEntry.objects.filter(actor_name="manager", object_name="clock key").exists()


def test_a_command_that_its_rule_refuses_says_why() -> None:
    last = key_actions.issue(by=BY, name="last", can_manage=True).api_key
    response = client_of("manager").post(command("disable", last), follow=True)
    assert "This is the last key that may manage" in response.content.decode()


@pytest.mark.parametrize(
    ("group", "name"), [("viewer", "restart"), ("viewer", "disable"), ("operator", "disable")]
)
def test_who_may_not_is_refused(clock: MCPTool, group: str, name: str) -> None:
    client = client_of(group)
    row = clock if name == "restart" else ApiKey.objects.get()
    assert client.get(command(name, row)).status_code == 403
    assert client.post(command(name, row)).status_code == 403


def test_a_command_needs_a_token_and_a_row(clock: MCPTool) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(member("manager"))
    assert browser.post(command("restart", clock)).status_code == 403
    assert browser.get("/admin/commands/restart/999999/").status_code == 404
    assert browser.get(f"/admin/commands/explode/{clock.pk}/").status_code == 404
