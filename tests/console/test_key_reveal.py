"""A new key is in one response of the admin, and in nothing that outlives it."""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from apikeys import actions, keys
from apikeys.models import ApiKey
from tests.console.pages import ASSISTANTS, BY, KEYS, send

pytestmark = pytest.mark.django_db
KEY = re.compile(r"ak-\d{6}-[\w-]{36}")


def revealed(response: Any) -> str:
    """Returns the key that a page shows once, and checks that the response carries it nowhere else."""
    (key,) = KEY.findall(response.content.decode())
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    assert key not in str(response.headers)
    assert key not in str(response.cookies)
    return str(key)


def assert_nowhere(key: str, client: Client) -> None:
    assert key not in str(client.cookies)
    assert not KEY.search(repr([session.get_decoded() for session in Session.objects.all()]))
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            assert key not in str(cursor.fetchall()), table


@pytest.mark.parametrize("button", ["_save", "_continue", "_addanother"])
def test_an_issued_key_is_shown_in_the_response_alone(admin_client: Client, button: str) -> None:
    key = revealed(send(admin_client, KEYS, **{button: "x"}))
    row = ApiKey.objects.get()
    assert row.key_hash == keys.hash_key(key)
    assert_nowhere(key, admin_client)
    for page in (f"{KEYS}{row.pk}/change/", KEYS, f"{KEYS}{row.pk}/history/", ASSISTANTS, "/admin/"):
        assert not KEY.search(admin_client.get(page).content.decode())


def test_a_key_issued_in_a_popup_is_shown_too(admin_client: Client) -> None:
    assert_nowhere(revealed(send(admin_client, KEYS, _popup="1")), admin_client)


def test_a_form_that_is_sent_again_issues_nothing(admin_client: Client) -> None:
    send(admin_client, KEYS)
    assert not KEY.search(send(admin_client, KEYS).content.decode())
    assert ApiKey.objects.count() == 1


def test_a_rotated_key_is_shown_in_the_response_alone(admin_client: Client) -> None:
    issued = actions.issue(by=BY, name="alice")
    page = f"{KEYS}{issued.api_key.pk}/rotate/"
    assert f'href="{page}"' in admin_client.get(f"{KEYS}{issued.api_key.pk}/change/").content.decode()
    assert "86400" in admin_client.get(page).content.decode()
    assert ApiKey.objects.get().key_hash == keys.hash_key(issued.key)
    response = admin_client.post(page, {"grace_seconds": 3600})
    key = revealed(response)
    assert "The old key works until" in response.content.decode()
    row = ApiKey.objects.get()
    assert (row.key_hash, row.previous_key_hash) == (keys.hash_key(key), keys.hash_key(issued.key))
    assert_nowhere(key, admin_client)


def test_a_key_is_not_rotated_by_a_link_or_from_another_site(admin_client: Client, admin_user: Any) -> None:
    api_key = actions.issue(by=BY, name="alice").api_key
    page = f"{KEYS}{api_key.pk}/rotate/"
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    assert browser.post(page, {"grace_seconds": 0}).status_code == 403
    assert admin_client.get(f"{KEYS}{api_key.pk + 1}/rotate/").status_code == 404
    assert ApiKey.objects.get().version == 1


def test_no_message_holds_a_key(admin_client: Client) -> None:
    """A message travels in a cookie that scripts and proxies read."""
    assert "messages" not in send(admin_client, KEYS).cookies
