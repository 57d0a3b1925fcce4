"""Keys and the audit log in the admin."""

import re
from typing import Any

import pytest
from django.test import Client

from apikeys import actions
from apikeys.models import ApiKey, AuditEntry
from core.actor import Actor

BY = Actor.system("tests")
KEYS, AUDIT = "/admin/apikeys/apikey/", "/admin/apikeys/auditentry/"
FORM = {
    "name": "alice",
    "can_call_assistant": "on",
    "allowed_networks": "10.0.0.0/8\n2001:db8::/32",
    "requests_per_minute": "5",
    "tokens_per_month": "",
}
pytestmark = pytest.mark.django_db


def errors_of(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


def test_a_key_is_issued_with_its_limits_and_shown_once(admin_client: Client) -> None:
    page = admin_client.post(f"{KEYS}add/", FORM, follow=True).content.decode()
    assert len(re.findall(r"ak-\d{6}-[\w-]{36}", page)) == 1
    api_key = ApiKey.objects.get()
    assert api_key.allowed_networks == ["10.0.0.0/8", "2001:db8::/32"]
    assert (api_key.requests_per_minute, api_key.tokens_per_month) == (5, None)


def test_changed_limits_and_networks_are_in_the_audit_log(admin_client: Client) -> None:
    api_key = actions.issue(by=BY, name="alice", allowed_networks=["10.0.0.0/8"]).api_key
    form = {**FORM, "allowed_networks": "", "requests_per_minute": "7"}
    assert admin_client.post(f"{KEYS}{api_key.pk}/change/", form).status_code == 302
    entry = AuditEntry.objects.get(action="updated")
    assert entry.actor_kind == "staff"
    assert entry.after == {"requests_per_minute": 7, "allowed_networks": []}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_networks", "everywhere"),
        ("requests_per_minute", "0"),
        ("tokens_per_month", "-1"),
        ("expires_at_0", "2001-01-01"),
    ],
)
def test_bad_input_is_shown_beside_its_field(admin_client: Client, field: str, value: str) -> None:
    form = {**FORM, "expires_at_0": "", "expires_at_1": "", field: value}
    if field == "expires_at_0":
        form["expires_at_1"] = "00:00:00"
    response = admin_client.post(f"{KEYS}add/", form)
    assert list(errors_of(response)) == [field.removesuffix("_0")]
    assert not ApiKey.objects.exists()


def test_a_deleted_key_leaves_a_trace(admin_client: Client) -> None:
    first, second = (actions.issue(by=BY, name=name).api_key for name in ("alice", "bob"))
    admin_client.post(f"{KEYS}{first.pk}/delete/", {"post": "yes"})
    selected = {"action": "delete_selected", "_selected_action": [second.pk], "post": "yes"}
    admin_client.post(KEYS, selected)
    assert not ApiKey.objects.exists()
    deleted = AuditEntry.objects.filter(action="deleted", actor_kind="staff")
    assert {entry.object_name for entry in deleted} == {"alice", "bob"}


def test_the_audit_log_is_shown(admin_client: Client) -> None:
    actions.issue(by=BY, name="<b>alice</b>")
    entry = AuditEntry.objects.get()
    assert "&lt;b&gt;alice" in admin_client.get(AUDIT).content.decode()
    assert "&lt;b&gt;alice" in admin_client.get(f"{AUDIT}{entry.pk}/change/").content.decode()


def test_the_audit_log_is_read_only(admin_client: Client) -> None:
    actions.issue(by=BY, name="alice")
    entry = AuditEntry.objects.get()
    assert admin_client.get(f"{AUDIT}add/").status_code == 403
    assert admin_client.post(f"{AUDIT}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.post(f"{AUDIT}{entry.pk}/change/", {"action": "x"}).status_code == 403
