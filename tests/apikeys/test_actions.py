import pytest
from django.core.exceptions import ValidationError

from apikeys import actions, keys
from apikeys.models import ApiKey
from core.actor import Actor
from core.errors import Conflict

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db


def test_it_stores_the_hash_and_never_the_key() -> None:
    issued = actions.issue(by=BY, name="alice")
    stored = ApiKey.objects.values().get()
    assert stored["key_hash"] == keys.hash_key(issued.key)
    assert issued.key not in str(stored)
    assert issued.key not in repr(issued)


def test_a_new_key_may_call_and_not_manage() -> None:
    api_key = actions.issue(by=BY, name="alice").api_key
    assert (api_key.can_call_assistant, api_key.can_manage, api_key.is_disabled) == (True, False, False)


@pytest.mark.parametrize("name", ["", "x" * 256, "nul\0"])
def test_it_refuses_a_bad_name(name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.issue(by=BY, name=name)
    assert "name" in refusal.value.message_dict
    assert not ApiKey.objects.exists()


def test_it_refuses_a_taken_name_whatever_its_case() -> None:
    actions.issue(by=BY, name="Alice")
    with pytest.raises(Conflict):
        actions.issue(by=BY, name="alice")


def test_each_update_counts_the_version() -> None:
    api_key = actions.issue(by=BY, name="alice").api_key
    actions.update(api_key, by=BY, name="bob")
    api_key.refresh_from_db()
    assert (api_key.name, api_key.version) == ("bob", 2)
