"""The verbs of API keys."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from apikeys import actions, keys
from apikeys.actions import IssuedKey
from apikeys.models import ApiKey, AuditEntry
from core.actor import Actor
from core.errors import Conflict

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db


def test_the_hash_is_stored_and_never_the_key() -> None:
    issued = actions.issue(by=BY, name="alice")
    stored = ApiKey.objects.values().get()
    assert stored["key_hash"] == keys.hash_key(issued.key)
    assert issued.key not in str(stored)
    assert issued.key not in repr(issued)


def test_a_new_key_may_call_and_not_manage() -> None:
    api_key = actions.issue(by=BY, name="alice").api_key
    assert (api_key.can_call_assistant, api_key.can_manage, api_key.is_disabled) == (True, False, False)


@pytest.mark.parametrize("name", ["", "x" * 256, "nul\0"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.issue(by=BY, name=name)
    assert "name" in refusal.value.message_dict
    assert not ApiKey.objects.exists()


def test_a_taken_name_is_refused_whatever_its_case() -> None:
    actions.issue(by=BY, name="Alice")
    with pytest.raises(Conflict):
        actions.issue(by=BY, name="alice")


def test_each_update_increments_the_version() -> None:
    api_key = actions.issue(by=BY, name="alice").api_key
    actions.update(api_key, by=BY, name="bob")
    api_key.refresh_from_db()
    assert (api_key.name, api_key.version) == ("bob", 2)


def test_an_edit_that_was_begun_before_a_rotation_does_not_bring_the_old_key_back() -> None:
    issued = actions.issue(by=BY, name="alice")
    stale = ApiKey.objects.get()
    rotated = actions.rotate(issued.api_key, by=BY, grace=timedelta(hours=1))
    actions.update(stale, by=BY, name="bob")
    assert_rotated(issued, rotated)
    assert AuditEntry.objects.first().after == {"name": "bob"}  # type: ignore[union-attr]


def test_a_second_rotation_of_a_row_read_before_the_first_one_revokes_the_first_key() -> None:
    issued = actions.issue(by=BY, name="alice")
    stale = ApiKey.objects.get()
    first = actions.rotate(issued.api_key, by=BY, grace=timedelta(hours=1))
    second = actions.rotate(stale, by=BY, grace=timedelta(hours=1))
    assert_rotated(first, second)


@pytest.mark.django_db(transaction=True)
def test_an_edit_waits_for_a_rotation_that_has_not_committed() -> None:
    issued = actions.issue(by=BY, name="alice")
    is_edited = Event()

    def edit() -> None:
        actions.update(ApiKey.objects.get(), by=BY, name="bob")
        is_edited.set()
        connection.close()

    with ThreadPoolExecutor(1) as another:
        with transaction.atomic():
            rotated = actions.rotate(issued.api_key, by=BY, grace=timedelta(hours=1))
            edited = another.submit(edit)
            assert not is_edited.wait(0.3)
        edited.result(timeout=10)
    assert_rotated(issued, rotated)


def assert_rotated(old: IssuedKey, new: IssuedKey) -> None:
    row = ApiKey.objects.get()
    assert row.version == 3
    assert row.key_hash == keys.hash_key(new.key)
    assert row.key_prefix == keys.display_prefix(new.key)
    assert row.previous_key_hash == keys.hash_key(old.key)
