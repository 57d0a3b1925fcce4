"""Members of staff who chat in the console: callers without a key."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User

from apikeys.authentication import still_calling
from apikeys.principal import Limits, Principal

CHATS = "assistants.chat_assistant"


def caller(user: User) -> Principal:
    return Principal.of_user(user.pk, user.username, CHATS, Limits(requests_per_minute=2))


def operator(name: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    return user


def test_staff_are_counted_apart_from_keys() -> None:
    anna = Principal.of_user(7, "anna", CHATS, Limits())
    assert anna.limited_as == "user-7"
    assert (anna.can_call_assistant, anna.can_manage) == (True, False)
    assert Principal(7, "key", "", False, True, False, None).limited_as == "7"


@pytest.mark.django_db(transaction=True)
async def test_who_left_the_staff_calls_no_more() -> None:
    anna, bob, carl, dora = [await sync_to_async(operator)(name) for name in ("anna", "bob", "carl", "dora")]
    callers = [caller(anna), caller(bob), caller(carl), caller(dora)]
    assert await still_calling(callers) == dict.fromkeys(callers)
    await User.objects.filter(pk=bob.pk).aupdate(is_active=False)
    await User.objects.filter(pk=carl.pk).aupdate(is_staff=False)
    await dora.groups.aclear()
    assert await still_calling(callers) == {callers[0]: None}
