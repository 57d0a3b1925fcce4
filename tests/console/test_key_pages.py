"""The pages of API keys: one form for all of a key, and what it may do, and why not."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apikeys import actions
from apikeys.models import ApiKey, TokenUsage
from assistants import actions as assistant_actions
from assistants.access import Reason
from assistants.console.key_access import MOST_ROWS
from assistants.models import Assistant, Run
from tests.console.pages import BY, KEYS, errors_of, send
from tools.choices import Status
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db


@pytest.fixture
def helper(clock: MCPTool) -> Assistant:
    MCPTool.objects.filter(pk=clock.pk).update(status=Status.RUNNING)
    return assistant_actions.create(by=BY, name="Helper", slug="helper", tools=[tool_use(clock)])


def tool_use(server: MCPTool) -> Any:
    return assistant_actions.ToolUse(server, None, [])


def access_page(client: Client, api_key: ApiKey, **query: str) -> Any:
    return client.get(f"/admin/keys/{api_key.pk}/access/", query)


def test_a_key_is_made_in_one_form(admin_client: Client, helper: Assistant) -> None:
    form = {
        "expiry": "90",
        "assistants": [helper.pk],
        "requests_per_minute": 5,
        "allowed_networks": "10.0.0.0/8",
    }
    assert send(admin_client, KEYS, **form).status_code == 200
    key = ApiKey.objects.get()
    assert key.assistant_ids == [helper.pk]
    assert key.requests_per_minute == 5
    assert key.allowed_networks == ["10.0.0.0/8"]
    assert key.expires_at
    assert timedelta(days=90) <= key.expires_at - timezone.now() < timedelta(days=91)


def test_an_expiry_is_a_choice_or_a_day(admin_client: Client) -> None:
    key = actions.issue(by=BY, name="alice").api_key
    assert (
        send(
            admin_client, KEYS, key, expiry="date", expires_at_0="2999-01-02", expires_at_1="03:04"
        ).status_code
        == 302
    )
    key.refresh_from_db()
    assert key.expires_at
    assert f"{key.expires_at:%Y-%m-%d %H:%M}" == "2999-01-02 03:04"
    send(admin_client, KEYS, key, expiry="never", expires_at_0="2999-01-02", expires_at_1="03:04")
    key.refresh_from_db()
    assert key.expires_at is None
    assert "expires_at" in errors_of(send(admin_client, KEYS, key, expiry="date"))
    assert "expires_at" in errors_of(
        send(admin_client, KEYS, key, expiry="date", expires_at_0="2001-01-01", expires_at_1="00:00")
    )


def test_an_edit_of_something_else_leaves_assistants_and_expiry(
    admin_client: Client, helper: Assistant
) -> None:
    key = actions.issue(by=BY, name="alice", assistant_ids=[helper.pk]).api_key
    send(admin_client, KEYS, key, expiry="never", assistants=[helper.pk], name="bob")
    key.refresh_from_db()
    assert (key.name, key.assistant_ids, key.expires_at) == ("bob", [helper.pk], None)


def test_the_list_says_what_keys_may_and_how_they_are(admin_client: Client, helper: Assistant) -> None:
    actions.issue(by=BY, name="fine", assistant_ids=[helper.pk])
    ApiKey.objects.filter(pk=actions.issue(by=BY, name="old").api_key.pk).update(expires_at=timezone.now())
    actions.issue(by=BY, name="brief", expires_at=timezone.now() + timedelta(days=2), can_manage=True)
    actions.disable(actions.issue(by=BY, name="off").api_key, by=BY)
    page = admin_client.get(KEYS).content.decode()
    for word in ("active", "expired", "expires soon", "disabled", "manage"):
        assert re.search(rf'class="pill-word">{word}<', page), word
    for state, names in {
        "soon": {"brief"},
        "expired": {"old"},
        "disabled": {"off"},
        "active": {"fine", "brief"},
    }.items():
        found = admin_client.get(KEYS, {"state": state}).context["cl"].result_list
        assert {key.name for key in found} == names


def test_the_list_takes_as_many_queries_for_one_key_as_for_thirty(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        actions.issue(by=BY, name=f"key {number}")
    with django_assert_max_num_queries(13):
        admin_client.get(KEYS)


def test_a_key_shows_what_it_spent_of_its_budget(admin_client: Client) -> None:
    key = actions.issue(by=BY, name="alice", tokens_per_month=1000).api_key
    month = timezone.now().date().replace(day=1)
    TokenUsage.objects.create(api_key=key, month=month, tokens=850)
    page = admin_client.get(f"{KEYS}{key.pk}/change/").content.decode()
    assert "85 % of 1000" in page.replace("1,000", "1000")


def test_a_rotation_that_is_sent_again_is_not_done_again(admin_client: Client) -> None:
    key = actions.issue(by=BY, name="alice").api_key
    page = f"{KEYS}{key.pk}/rotate/"
    seen = re.search(r'name="seen_version" value="(\d+)"', admin_client.get(page).content.decode())
    assert seen
    form = {"grace_seconds": 3600, "seen_version": seen[1]}
    assert "Copy the key now" in admin_client.post(page, form).content.decode()
    first = ApiKey.objects.get().key_hash
    again = admin_client.post(page, form).content.decode()
    assert "Somebody else changed this" in again
    assert ApiKey.objects.get().key_hash == first
    assert "works until" in again


def test_a_table_says_what_a_key_may_do(admin_client: Client, helper: Assistant) -> None:
    key = actions.issue(by=BY, name="alice", assistant_ids=[helper.pk]).api_key
    rows = access_page(admin_client, key).context["rows"]
    assert [(row.assistant.slug, row.server, row.tool, row.why_not) for row in rows] == [
        ("helper", "Clock", "clock__now", ())
    ]


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("key_disabled", lambda: ApiKey.objects.update(is_disabled=True)),
        ("key_expired", lambda: ApiKey.objects.update(expires_at=timezone.now())),
        ("calling_not_permitted", lambda: ApiKey.objects.update(can_call_assistant=False)),
        ("not_granted", lambda: ApiKey.objects.get().assistants.set([])),
        ("assistant_disabled", lambda: Assistant.objects.update(is_enabled=False)),
        ("server_stopped", lambda: MCPTool.objects.update(is_enabled=False)),
        ("server_starting", lambda: MCPTool.objects.update(status=Status.STARTING)),
        ("server_error", lambda: MCPTool.objects.update(status=Status.ERROR)),
        ("server_stopped", lambda: MCPTool.objects.update(status=Status.STOPPED)),
        ("not_chosen", lambda: Assistant.objects.get().assistant_tools.update(functions=["other"])),
        ("function_removed", lambda: ToolFunction.objects.update(removed_at=timezone.now())),
        ("function_disabled", lambda: ToolFunction.objects.update(is_enabled=False)),
        (
            "not_approved",
            lambda: (
                MCPTool.objects.update(approval="pinned"),
                ToolFunction.objects.update(approved_hash="x"),
            ),
        ),
    ],
)
def test_each_no_has_its_reason_which_rest_gives_too(
    api: APIClient, admin_client: Client, helper: Assistant, reason: str, change: Any
) -> None:
    key = actions.issue(by=BY, name="alice", assistant_ids=[helper.pk]).api_key
    ApiKey.objects.exclude(pk=key.pk).delete()
    change()
    manager = actions.issue(by=BY, name="rest", can_manage=True).key
    page = access_page(admin_client, key)
    (row,) = page.context["rows"]
    assert row.why_not == (str(Reason(reason).label),)
    assert row.why_not[0].replace("'", "&#x27;") in page.content.decode()
    rest = (
        APIClient(headers={"Authorization": f"Bearer {manager}"})
        .get(f"/api/v1/api-keys/{key.pk}/access")
        .json()
    )
    assert reason in str(rest)


def test_it_is_searched_by_tool_server_and_assistant(
    admin_client: Client, helper: Assistant, clock: MCPTool
) -> None:
    catalogue.record(
        clock.pk, [{"name": name, "inputSchema": {"type": "object"}} for name in ("now", "zone")]
    )
    assistant_actions.create(by=BY, name="Bare", slug="bare")
    key = actions.issue(by=BY, name="alice").api_key

    def found(**query: str) -> set[tuple[str, str]]:
        rows = access_page(admin_client, key, **query).context["rows"]
        return {(row.assistant.slug, row.tool) for row in rows}

    both = {("helper", "clock__now"), ("helper", "clock__zone")}
    assert found() == {*both, ("bare", "")}
    assert found(q="ZON") == {("helper", "clock__zone")}
    assert found(q="cloc") == both
    assert found(q="nothing") == set()
    assert found(assistant="bare") == {("bare", "")}
    assert found(assistant="<script>") == set()


def test_thousands_of_tools_are_cut_and_take_few_queries(
    admin_client: Client, helper: Assistant, clock: MCPTool, django_assert_max_num_queries: Any
) -> None:
    many = [{"name": f"tool_{number}", "inputSchema": {"type": "object"}} for number in range(MOST_ROWS + 5)]
    catalogue.record(clock.pk, many)
    key = actions.issue(by=BY, name="alice").api_key
    with django_assert_max_num_queries(20):
        page = access_page(admin_client, key)
    assert len(page.context["rows"]) == MOST_ROWS
    assert "search for a name" in page.content.decode()


def test_it_shows_the_requests_of_this_month(admin_client: Client) -> None:
    key = actions.issue(by=BY, name="alice").api_key
    Run.objects.create(
        api_key=key, started_at=timezone.now(), prompt_tokens=7, completion_tokens=5, run_id="run_1"
    )
    page = access_page(admin_client, key).content.decode()
    assert re.search(r"1 request,\s+12 tokens,\s+0 tool calls", page)
    assert admin_client.get("/admin/keys/999999/access/").status_code == 404


@pytest.mark.parametrize(("group", "status"), [("viewer", 200), ("operator", 200), (None, 403)])
def test_who_sees_keys_sees_what_they_may(client: Client, group: str | None, status: int) -> None:
    user = User.objects.create_user("u", is_staff=True)
    user.groups.set(Group.objects.filter(name=group))
    client.force_login(user)
    assert access_page(client, actions.issue(by=BY, name="alice").api_key).status_code == status
