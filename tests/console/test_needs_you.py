"""Needs you: what is listed, for whom, and what its buttons do."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import ApiKey, TokenUsage
from connector import grants
from tests.console.observed import member_of
from tests.console.pages import BY, messages_of
from tests.queries import assert_same_queries
from tools import actions
from tools.functions import catalogue
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
PAGE = "/admin/needs-you/"


def listed(client: Client) -> dict[str, list[Any]]:
    """The items by the heading of their section."""
    response: Any = client.get(PAGE)
    assert response.status_code == 200
    return {str(section["title"]): section["items"] for section in response.context["sections"]}


def change_a_definition(server: MCPTool) -> None:
    actions.update(server, by=BY, approval="pinned")
    tool = {"name": "now", "description": "Changed.", "inputSchema": {"type": "object", "properties": {}}}
    catalogue.record(server.pk, [tool, {**tool, "name": "then"}])


def break_(server: MCPTool, reason: str = "crashed") -> None:
    error = {"class": reason, "message": "It ended.", "remedy": "Read its log.", "at": "2026-01-02T03:04:05Z"}
    MCPTool.objects.filter(pk=server.pk).update(status="error", error=error)


def expiring_key(**fields: Any) -> ApiKey:
    soon = timezone.now() + timedelta(days=5)
    return key_actions.issue(by=BY, name="alice", expires_at=soon, **fields).api_key


def spend(key: ApiKey, tokens: int) -> None:
    TokenUsage.objects.create(api_key=key, month=timezone.now().date().replace(day=1), tokens=tokens)


def test_nothing_needs_anybody_at_first(admin_client: Client, clock: MCPTool) -> None:
    response = admin_client.get(PAGE)
    assert "Nothing needs you" in response.content.decode()
    assert listed(admin_client) == {}


def test_changed_definitions_are_listed_by_server_and_lead_to_the_comparison(
    admin_client: Client, clock: MCPTool
) -> None:
    change_a_definition(clock)
    [item] = listed(admin_client)["Changed definitions"]
    assert item.title == "Clock"
    assert "2" in item.text
    assert timezone.now() - item.since < timedelta(minutes=1)
    assert admin_client.get(item.remedies[0].url).status_code == 200
    clock.functions.update(is_enabled=False)  # refused
    assert listed(admin_client) == {}


def test_a_broken_server_is_restarted(admin_client: Client, clock: MCPTool) -> None:
    break_(clock)
    [item] = listed(admin_client)["Servers that do not serve"]
    assert item.text == "It ended. Read its log."
    assert item.since.year == 2026
    response = admin_client.post(f"{PAGE}restart/{clock.pk}/", follow=True)
    assert "Clock is being restarted." in messages_of(response)
    clock.refresh_from_db()
    assert clock.restart_requested_at is not None


def test_a_server_that_asks_for_a_login_has_a_button_for_it(admin_client: Client) -> None:
    server = actions.register(
        by=BY, name="Far", connection_type="streamable_http", url="https://x.example/mcp"
    )
    break_(server, "login_required")
    [item] = listed(admin_client)["Servers that do not serve"]
    assert item.remedies[0].url.endswith(f"/oauthgrant/add/?server={server.pk}")
    grant = grants.connect(by=BY, server=server, flow="login")
    break_(server, "login_required")
    [item] = listed(admin_client)["Servers that do not serve"]
    page = admin_client.get(PAGE).content.decode()
    assert f'action="/admin/connector/oauthgrant/{grant.pk}/login/"' in page


def test_a_key_that_expires_soon_is_extended(admin_client: Client) -> None:
    key = expiring_key()
    key_actions.issue(by=BY, name="later", expires_at=timezone.now() + timedelta(days=15))
    assert [item.title for item in listed(admin_client)["Keys that expire soon"]] == ["alice"]
    admin_client.post(f"{PAGE}extend/{key.pk}/", {"number": "90"})
    assert ApiKey.objects.get(pk=key.pk).expires_at == (key.expires_at or timezone.now()) + timedelta(days=90)
    assert listed(admin_client) == {}


def test_a_budget_that_is_nearly_spent_is_raised(admin_client: Client) -> None:
    key = key_actions.issue(by=BY, name="bob", tokens_per_month=1_000).api_key
    spend(key, 799)
    assert listed(admin_client) == {}
    TokenUsage.objects.update(tokens=800)
    [item] = listed(admin_client)["Budgets that are nearly spent"]
    assert item.text == "800 of 1,000 tokens of this month are spent (80 %)."
    assert item.remedies[0].value == 1_500
    admin_client.post(f"{PAGE}raise/{key.pk}/", {"number": "1500"})
    assert ApiKey.objects.get(pk=key.pk).tokens_per_month == 1_500
    assert listed(admin_client) == {}


@pytest.mark.parametrize("number", ["", "0", "-5", "x", "٣", "9" * 40, "1.5"])
@pytest.mark.parametrize("do", ["extend", "raise"])
def test_a_number_that_makes_no_sense_changes_nothing(admin_client: Client, do: str, number: str) -> None:
    key = expiring_key(tokens_per_month=1_000)
    response = admin_client.post(f"{PAGE}{do}/{key.pk}/", {"number": number}, follow=True)
    assert "Give a whole number" in messages_of(response)
    assert ApiKey.objects.get(pk=key.pk).version == key.version


def test_a_rule_of_a_verb_is_told(admin_client: Client) -> None:
    key = expiring_key(tokens_per_month=1_000)
    response = admin_client.post(f"{PAGE}raise/{key.pk}/", {"number": str(2**53 + 1)}, follow=True)
    assert "At most" in messages_of(response)
    assert ApiKey.objects.get(pk=key.pk).tokens_per_month == 1_000


@pytest.mark.parametrize(
    ("group", "do", "status"),
    [
        ("viewer", "restart", 403),
        ("operator", "restart", 302),
        ("operator", "extend", 403),
        ("auditor", "raise", 403),
        ("manager", "extend", 302),
    ],
)
def test_buttons_are_for_those_with_the_right(clock: MCPTool, group: str, do: str, status: int) -> None:
    break_(clock)
    key = expiring_key(tokens_per_month=1_000)
    spend(key, 900)
    client = member_of(group)
    pk = clock.pk if do == "restart" else key.pk
    assert (f"{PAGE}{do}/{pk}/" in client.get(PAGE).content.decode()) == (status == 302)
    assert client.post(f"{PAGE}{do}/{pk}/", {"number": "9"}).status_code == status


def test_who_may_see_none_of_it_sees_an_empty_page(clock: MCPTool) -> None:
    break_(clock)
    assert listed(member_of()) == {}


def test_a_get_changes_nothing_and_unknown_things_are_404(admin_client: Client, clock: MCPTool) -> None:
    assert admin_client.get(f"{PAGE}restart/{clock.pk}/").status_code == 405
    assert admin_client.post(f"{PAGE}dance/{clock.pk}/").status_code == 404
    assert admin_client.post(f"{PAGE}restart/{clock.pk + 99}/").status_code == 404


def test_a_post_without_the_token_is_refused(clock: MCPTool, admin_user: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(f"{PAGE}restart/{clock.pk}/").status_code == 403


def test_the_sidebar_counts_what_the_person_sees(admin_client: Client, clock: MCPTool) -> None:
    break_(clock)
    expiring_key()
    from assistants.console.inbox import badge

    request: Any = admin_client.get(PAGE).wsgi_request
    assert badge(request) == "2"
    request.user = member_of("operator").get(PAGE).wsgi_request.user
    assert badge(request) == "2"
    request.user = member_of(name="bob").get(PAGE).wsgi_request.user
    assert badge(request) == ""


def test_texts_of_servers_are_text(admin_client: Client, clock: MCPTool) -> None:
    markup = "<img src=x onerror=alert(1)>"
    MCPTool.objects.update(name=markup, status="error", error={"message": f"{markup}\u202e" + "x" * 100_000})
    page = admin_client.get(PAGE).content.decode()
    assert markup not in page
    assert "&lt;U+202E&gt;" in page
    assert len(page) < 100_000


def test_its_queries_do_not_grow_with_rows(admin_client: Client, clock: MCPTool) -> None:
    def more() -> None:
        for number in range(5):
            server = actions.register(by=BY, name=f"S{number}", connection_type="stdio", command="python")
            break_(server)
            key = key_actions.issue(by=BY, name=f"k{number}", tokens_per_month=10).api_key
            spend(key, 9)

    break_(clock)
    spend(expiring_key(tokens_per_month=10), 9)
    assert_same_queries(lambda: admin_client.get(PAGE), after=more)
