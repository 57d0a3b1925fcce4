"""The pages of rules: their list in plain words, the form, its order and its dry run."""

from typing import Any

import pytest
from django.test import Client

from assistants import actions
from assistants.models import Assistant, Rule
from tests.console.observed import add_run
from tests.console.pages import BY, errors_of
from tests.console.people import client_of
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
PAGE = "/admin/assistants/rule/"
FORM = {"name": "Payments", "scope": "global", "effect": "ask", "approver": "staff", "is_enabled": "on"}


def save(client: Client, rule: Rule | None = None, **fields: Any) -> Any:
    address = f"{PAGE}add/" if rule is None else f"{PAGE}{rule.pk}/change/"
    return client.post(address, {**FORM, **fields})


def made(name: str = "Payments") -> Rule:
    return Rule.objects.get(name=name)


def test_a_rule_is_made_of_choices(admin_client: Client, clock: MCPTool) -> None:
    response = save(
        admin_client, servers=[clock.pk], functions="clock__now\n", labels=["sends_out"], read_only="false",
        end_users="anna\nbob", expression="call.arguments.amount > 1000", reason="Too much",
    )  # fmt: skip
    assert response.status_code == 302, errors_of(response)
    assert made().conditions == {
        "servers": [clock.pk],
        "functions": ["clock__now"],
        "labels": ["sends_out"],
        "annotations": {"readOnlyHint": False},
        "end_users": ["anna", "bob"],
        "expression": "call.arguments.amount > 1000",
    }


def test_it_is_shown_as_it_was_saved_and_saving_it_again_changes_nothing(
    admin_client: Client, clock: MCPTool
) -> None:
    fields = {"servers": [clock.pk], "read_only": "true", "expression": "end_user == 'x'"}
    save(admin_client, **fields)
    shown = admin_client.get(f"{PAGE}{made().pk}/change/").content.decode()
    assert "end_user == &#x27;x&#x27;" in shown
    assert '<option value="true" selected>' in shown
    save(admin_client, made(), **fields)
    assert (made().version, made().conditions["annotations"]) == (1, {"readOnlyHint": True})
    save(admin_client, made(), servers=[clock.pk])
    assert made().conditions == {"servers": [clock.pk]}


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"expression": "call.arguments.amount >"}, "expression", "Line 1"),
        ({"expression": "nothing.here == 1"}, "expression", "is not known"),
        ({"functions": "clock__gone"}, "functions", "There is no tool clock__gone"),
        ({"effect": "mask"}, "mask", "Name at least one path"),
        ({"effect": "mask", "mask": "card"}, "mask", "Give paths such as"),
        ({"scope": "assistant"}, "assistant", "Choose the assistant"),
        ({"scope": "key"}, "api_key", "Choose the key"),
        ({"labels": ["nothing"]}, "labels", "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    admin_client: Client, clock: MCPTool, fields: dict[str, Any], field: str, problem: str
) -> None:
    assert problem in " ".join(errors_of(save(admin_client, **fields))[field])
    assert not Rule.objects.filter(name="Payments").exists()


def test_the_list_says_it_in_plain_words(admin_client: Client, helper: Assistant, clock: MCPTool) -> None:
    save(
        admin_client, scope="assistant", assistant=helper.pk, servers=[clock.pk], labels=["sends_out"],
        end_users="anna",
    )  # fmt: skip
    save(admin_client, name="No", effect="deny", functions="clock__now", destructive="true")
    shown = admin_client.get(PAGE).content.decode()
    for words in (
        "Calls of tools of Clock with the label “Can send out” by the assistant Helper on behalf of anna",
        "ask staff",
        "Calls of clock__now that may destroy something",
        "forbid",
    ):
        assert words in shown


def test_rules_change_places_and_are_switched(admin_client: Client) -> None:
    for name in "abc":
        save(admin_client, name=name)

    def order() -> list[str]:
        return list(Rule.objects.filter(name__in="abc").order_by("position").values_list("name", flat=True))

    assert order() == ["a", "b", "c"]
    admin_client.post(f"{PAGE}{made('c').pk}/up/")
    assert order() == ["a", "c", "b"]
    admin_client.post(f"{PAGE}{made('a').pk}/down/")
    assert order() == ["c", "a", "b"]
    admin_client.post(f"{PAGE}{made('c').pk}/up/")
    assert order() == ["c", "a", "b"]
    assert admin_client.get(f"{PAGE}{made('a').pk}/toggle/").status_code == 405
    admin_client.post(f"{PAGE}{made('a').pk}/toggle/")
    assert not made("a").is_enabled


def test_the_shipped_rule_is_switched_on_by_one_click(admin_client: Client) -> None:
    rule = Rule.objects.get()
    link = f"{PAGE}{rule.pk}/toggle/"
    assert "Recommended, and off" in admin_client.get(PAGE).content.decode()
    admin_client.post(link)
    rule.refresh_from_db()
    assert rule.is_enabled
    assert "Recommended, and off" not in admin_client.get(PAGE).content.decode()


# --- dry run ---


def test_a_dry_run_shows_the_calls_of_the_last_week(admin_client: Client, clock: MCPTool) -> None:
    run = add_run(calls=2)
    run.tool_calls.update(mcp_tool=clock, started_at=run.started_at)
    shown = admin_client.post(f"{PAGE}dry-run/", {**FORM, "name": "", "servers": [clock.pk]}).content.decode()
    assert "2 calls of the last seven days were looked at" in shown
    assert "It would have asked about: 2" in shown
    assert f"?q={run.run_id}" in shown
    assert not Rule.objects.filter(name__in=["", "Payments"]).exists()
    asks = {**FORM, "expression": "call.arguments.amount > 1"}
    assert "Of 2 calls nobody can tell" in admin_client.post(f"{PAGE}dry-run/", asks).content.decode()


@pytest.mark.parametrize("fields", [{"expression": "<b>"}, {"effect": "mask"}, {"functions": "<b>x"}])
def test_a_dry_run_of_a_wrong_rule_says_what_is_wrong(admin_client: Client, fields: dict[str, Any]) -> None:
    shown = admin_client.post(f"{PAGE}dry-run/", {**FORM, **fields}).content.decode()
    assert "Correct this first" in shown
    assert "<b>" not in shown


# --- who may ---


@pytest.mark.parametrize(
    ("group", "may"), [("viewer", False), ("auditor", False), ("operator", False), ("manager", True)]
)
def test_managers_make_rules_and_others_read_them(group: str, may: bool) -> None:
    rule = actions.add_rule(by=BY, name="Payments", effect="deny", conditions={"expression": "touched == []"})
    client = client_of(group)
    assert "Payments" in client.get(PAGE).content.decode()
    shown = client.get(f"{PAGE}{rule.pk}/change/").content.decode()
    assert "touched == []" in shown
    assert ("dry-run-button" in shown) == may
    assert save(client, name="Mine").status_code == (302 if may else 403)
    client.post(f"{PAGE}{rule.pk}/toggle/")
    rule.refresh_from_db()
    assert rule.is_enabled != may
    assert client.post(f"{PAGE}dry-run/", FORM).status_code == (200 if may else 403)
