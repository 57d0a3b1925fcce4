"""The login: locked after failures, for a user at an address, with all of it in the audit log."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client

from apikeys.logins import MOST_FAILURES
from apikeys.models import AuditEntry

pytestmark = pytest.mark.django_db
LOGIN, PASSWORD = "/admin/login/", "long-enough-7"


@pytest.fixture(autouse=True)
def anna(db: None, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a real one takes its time
    return User.objects.create_user("anna", password=PASSWORD, is_staff=True)


def try_login(
    username: str = "anna", password: str = "wrong", address: str = "192.0.2.1", **headers: str
) -> Any:
    sent = {"username": username, "password": password}
    return Client(REMOTE_ADDR=address, headers=headers).post(LOGIN, sent)


def fail(times: int, **attempt: str) -> Any:
    for _ in range(times):
        response = try_login(**attempt)
    return response


def test_a_user_is_locked_at_an_address_after_five_failures() -> None:
    assert fail(4).status_code == 200
    locked = fail(1)
    assert locked.status_code == 429
    assert 890 <= int(locked.headers["Retry-After"]) <= 900
    page = locked.content.decode()
    assert "The login is locked" in page
    assert " UTC, in 1" in page
    refused = try_login(password=PASSWORD)
    assert refused.status_code == 429
    assert "sessionid" not in refused.cookies


def test_other_users_and_other_addresses_are_not_locked() -> None:
    fail(5)
    User.objects.create_user("bert", password=PASSWORD, is_staff=True)
    assert try_login("bert", PASSWORD).status_code == 302
    assert try_login("anna", PASSWORD, address="192.0.2.2").status_code == 302


def test_neither_a_header_nor_another_browser_evades_the_lock() -> None:
    for number in range(5):
        fail(1, **{"user-agent": f"browser {number}", "x-forwarded-for": f"198.51.100.{number}"})
    assert try_login(password=PASSWORD).status_code == 429


def test_the_lock_ends_when_its_page_says_so_whatever_is_tried_meanwhile() -> None:
    fail(7)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(seconds=901))
    assert try_login(password=PASSWORD).status_code == 302


def test_a_login_forgets_the_failures_before_it() -> None:
    fail(4)
    assert try_login(password=PASSWORD).status_code == 302
    assert fail(4).status_code == 200


def test_failed_and_locked_logins_are_in_the_audit_log(anna: User) -> None:
    fail(6)
    entries = list(AuditEntry.objects.values_list("action", "object_name", "object_id", "actor_name"))
    failed = ("login failed", "anna", anna.pk, "192.0.2.1")
    assert sorted(entries) == sorted([failed] * 5 + [("login locked", *failed[1:])])
    assert not any("wrong" in str(entry.__dict__) for entry in AuditEntry.objects.all())


def test_names_of_nobody_are_recorded_up_to_a_bound(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 1000
    try_login("nobody")
    assert AuditEntry.objects.get().object_id == 0
    address = {"address": "192.0.2.1", "actor_kind": "visitor", "action": "login failed"}
    rows = [AuditEntry(object_kind="user", object_id=0, **address) for _ in range(MOST_FAILURES)]
    AuditEntry.objects.bulk_create(rows)
    try_login("nobody")
    assert AuditEntry.objects.count() == MOST_FAILURES + 1


@pytest.mark.parametrize("address", ["", "not-an-address", "fe80::1%eth0", "::1"])
def test_an_odd_address_is_no_error(address: str) -> None:
    assert fail(5, address=address).status_code == 429


def test_django_axes_has_no_pages(admin_client: Client) -> None:
    assert admin_client.get("/admin/axes/").status_code == 404
