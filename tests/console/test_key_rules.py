"""Rules for keys and for names.

What REST refuses the admin refuses too, beside the field at fault, and neither changes a row.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from apikeys.models import ApiKey, AuditEntry
from assistants import actions
from tests.console.conftest import fields_of
from tests.console.pages import ASSISTANTS, BY, KEYS, PROVIDERS, SERVERS, errors_of, messages_of, send
from tools import actions as tool_actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db

TAKEN: list[tuple[str, str, Callable[[str], Any]]] = [
    (
        SERVERS,
        "mcp-tools",
        lambda name: tool_actions.register(by=BY, name=name, connection_type="stdio", command="python"),
    ),
    (ASSISTANTS, "assistants", lambda name: actions.create(by=BY, name=name)),
    (PROVIDERS, "providers", lambda name: actions.add_provider(by=BY, name=name, default_model="m")),
    (KEYS, "api-keys", lambda name: key_actions.issue(by=BY, name=name).api_key),
]


@pytest.mark.parametrize(("page", "path", "create"), TAKEN)
def test_a_taken_name_is_told_beside_it(
    api: APIClient, admin_client: Client, page: str, path: str, create: Callable[[str], Any]
) -> None:
    create("Taken")
    other = create("Other")
    assert api.patch(f"/api/v1/{path}/{other.pk}", {"name": "tAKEN"}, format="json").status_code == 409
    wrong = {"name": "tAKEN", **({"slug": "free"} if page == ASSISTANTS else {})}
    for response in (send(admin_client, page, **wrong), send(admin_client, page, other, **wrong)):
        errors = errors_of(response)
        assert list(errors) == ["name"]
        assert "taken" in errors["name"][0]
    other.refresh_from_db()
    assert other.name == "Other"


@pytest.fixture
def managing() -> ApiKey:
    return key_actions.issue(by=BY, name="manager", can_manage=True).api_key


@pytest.mark.parametrize("fields", [{"can_manage": ""}, {"can_manage": "on", "is_disabled": "on"}])
def test_the_last_managing_key_is_not_edited_out(
    admin_client: Client, managing: ApiKey, fields: dict[str, str]
) -> None:
    errors = errors_of(send(admin_client, KEYS, managing, name="manager", **fields))
    assert "last key" in " ".join(errors["__all__"])
    managing.refresh_from_db()
    assert (managing.can_manage, managing.is_disabled, managing.version) == (True, False, 1)


def test_the_last_managing_key_is_not_deleted(admin_client: Client, managing: ApiKey) -> None:
    page = admin_client.post(f"{KEYS}{managing.pk}/delete/", {"post": "yes"}, follow=True)
    assert "last key" in messages_of(page)
    assert ApiKey.objects.exists()


@pytest.mark.parametrize("action", ["delete_selected", "disable"])
def test_an_action_is_done_to_all_selected_keys_or_to_none(
    admin_client: Client, managing: ApiKey, action: str
) -> None:
    other = key_actions.issue(by=BY, name="other", can_manage=True).api_key
    chosen = {"action": action, "_selected_action": [other.pk, managing.pk], "post": "yes"}
    assert "last key" in messages_of(admin_client.post(KEYS, chosen, follow=True))
    assert ApiKey.objects.filter(is_disabled=False).count() == 2
    assert not AuditEntry.objects.exclude(action="created").exists()


def test_another_key_is_deleted_where_none_may_manage(admin_client: Client) -> None:
    caller = key_actions.issue(by=BY, name="caller").api_key
    admin_client.post(f"{KEYS}{caller.pk}/delete/", {"post": "yes"})
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("seconds", [-1, 30 * 24 * 3600 + 1, 10**12])
def test_a_grace_period_out_of_bounds_is_refused(
    api: APIClient, admin_client: Client, managing: ApiKey, seconds: int
) -> None:
    body = {"grace_seconds": seconds}
    url = f"/api/v1/api-keys/{managing.pk}/rotate"
    managing.refresh_from_db()
    assert list(fields_of(api.post(url, body, format="json"))) == ["grace_seconds"]
    page = admin_client.post(f"{KEYS}{managing.pk}/rotate/", body)
    assert list(page.context["form"].errors) == ["grace_seconds"]
    assert ApiKey.objects.get(pk=managing.pk).version == managing.version


def test_staff_without_the_right_to_change_run_no_action(client: Client, clock: MCPTool) -> None:
    viewer = User.objects.create_user("viewer", password="x", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_mcptool", "view_apikey"]))
    client.force_login(viewer)
    key = key_actions.issue(by=BY, name="caller").api_key
    for page, action, row in ((SERVERS, "stop", clock), (SERVERS, "restart", clock), (KEYS, "disable", key)):
        client.post(page, {"action": action, "_selected_action": [row.pk]})
        row.refresh_from_db()
        assert row.version == 1
    assert client.post(f"{KEYS}{key.pk}/rotate/", {"grace_seconds": 0}).status_code == 403


WRONG_KEYS = [
    ("name", {"name": ""}, {"name": ""}),
    ("tokens_per_month", {"limits": {"tokens_per_month": 2**53 + 1}}, {"tokens_per_month": 2**53 + 1}),
    ("requests_per_minute", {"limits": {"requests_per_minute": 2**31}}, {"requests_per_minute": 2**31}),
    ("concurrent_requests", {"limits": {"concurrent_requests": 0}}, {"concurrent_requests": 0}),
    (
        "allowed_networks",
        {"allowed_networks": [f"fe80::%{'x' * 80}/128"]},
        {"allowed_networks": f"fe80::%{'x' * 80}/128"},
    ),
    (
        "expires_at",
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at_0": "2001-01-01", "expires_at_1": "00:00:00"},
    ),
]


@pytest.mark.parametrize(("field", "body", "form"), WRONG_KEYS)
def test_wrong_fields_of_a_key_are_told_beside_them(
    api: APIClient, admin_client: Client, field: str, body: dict[str, Any], form: dict[str, Any]
) -> None:
    answered = fields_of(api.post("/api/v1/api-keys", {"name": "alice", **body}, format="json"))
    assert list(answered) in ([field], ["limits"])
    assert list(errors_of(send(admin_client, KEYS, **form))) == [field]
    key = key_actions.issue(by=BY, name="carol").api_key
    assert list(errors_of(send(admin_client, KEYS, key, **{"name": "carol", **form}))) == [field]
    assert ApiKey.objects.filter(version=1).count() == ApiKey.objects.count() == 2
