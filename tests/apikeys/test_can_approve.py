"""Who lets a key approve: a person with that right, and no key."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.test import Client
from rest_framework.exceptions import PermissionDenied

from apikeys import actions
from apikeys.models import ApiKey
from core.actor import Actor
from tests.console.pages import KEYS, send
from tests.console.people import client_of

pytestmark = pytest.mark.django_db
BY, PROGRAM = Actor.system("tests"), Actor("key", "program", 99)


def approving() -> ApiKey:
    return actions.issue(by=BY, name="approving", can_approve=True).api_key


def test_no_key_lets_a_key_approve_or_stops_it() -> None:
    with pytest.raises(ValidationError) as refused:
        actions.issue(by=PROGRAM, name="a", can_approve=True)
    assert refused.value.message_dict.keys() == {"can_approve"}
    plain = actions.issue(by=PROGRAM, name="b").api_key
    for key, wanted in ((plain, True), (approving(), False)):
        with pytest.raises(ValidationError):
            actions.update(key, by=PROGRAM, can_approve=wanted)
        assert ApiKey.objects.get(pk=key.pk).can_approve is not wanted
    actions.update(ApiKey.objects.get(name="approving"), by=PROGRAM, can_approve=True, name="kept")
    assert not ApiKey.objects.filter(name="a").exists()


def test_no_key_gets_the_secret_of_one_that_may_approve() -> None:
    key = approving()
    with pytest.raises(PermissionDenied):
        actions.rotate(key, by=PROGRAM, grace=timedelta())
    assert ApiKey.objects.get(pk=key.pk).key_hash == key.key_hash
    rotated = actions.rotate(key, by=Actor("staff", "boss", 1), grace=timedelta())
    assert rotated.api_key.can_approve


def with_rights(*names: str) -> Client:
    user = User.objects.create_user("some", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def test_a_manager_lets_a_key_approve_in_the_console() -> None:
    manager = client_of("manager")
    send(manager, KEYS, name="new", can_approve="on")
    assert ApiKey.objects.get(name="new").can_approve
    key = actions.issue(by=BY, name="caller").api_key
    send(manager, KEYS, key, name="caller", can_approve="on")
    assert ApiKey.objects.get(pk=key.pk).can_approve


def test_who_may_not_decide_lets_no_key_decide() -> None:
    """A right that somebody does not have is not to be had by a key, either."""
    some = with_rights("view_apikey", "add_apikey", "change_apikey")
    send(some, KEYS, name="new", can_approve="on")
    assert not ApiKey.objects.get(name="new").can_approve
    key = approving()
    send(some, KEYS, key, name="renamed")
    key.refresh_from_db()
    assert (key.name, key.can_approve) == ("renamed", True)
    assert some.post(f"{KEYS}{key.pk}/rotate/", {"grace_seconds": 0}).status_code == 403
