from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apikeys import actions, keys
from apikeys.models import ApiKey
from assistants import actions as assistant_actions
from core.actor import Actor

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")


def create_key(*arguments: str) -> str:
    output = StringIO()
    call_command("create_key", *arguments, stdout=output)
    return output.getvalue()


def test_only_the_key_is_printed() -> None:
    printed = create_key("alice")
    key = printed.removesuffix("\n")
    assert keys.is_well_formed(key)
    assert ApiKey.objects.get().key_hash == keys.hash_key(key)


def test_assistants_and_permissions_are_granted() -> None:
    assistant = assistant_actions.create(by=BY, name="Demo", slug="demo")
    create_key("alice", "--manage", "--assistant", "demo")
    api_key = ApiKey.objects.get()
    assert (api_key.can_manage, list(api_key.assistants.all())) == (True, [assistant])


def test_a_name_that_is_refused_is_said_to_be_the_name() -> None:
    with pytest.raises(CommandError, match=r"^The key's name: This field cannot be blank"):
        create_key("")


def test_an_unknown_assistant_changes_nothing() -> None:
    with pytest.raises(CommandError, match="no assistant nobody"):
        create_key("alice", "--assistant", "nobody")
    assert not ApiKey.objects.exists()


def test_a_taken_name_is_reported_in_one_line() -> None:
    actions.issue(by=BY, name="alice")
    with pytest.raises(CommandError, match="taken"):
        create_key("Alice")
