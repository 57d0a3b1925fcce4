"""Which rules concern a call, and that memory follows the database."""

import asyncio

import pytest

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from assistants import actions, rules
from assistants.models import Assistant, Effect, Rule
from core import feed
from core.actor import Actor
from core.database import in_thread
from tests.assistants.rules.calls import call

BY = Actor.system("tests")


@pytest.fixture
def key(db) -> ApiKey:
    return key_actions.issue(by=BY, name="alice").api_key


@pytest.fixture
def assistant(db) -> Assistant:
    return actions.create(by=BY, name="Helper")


def deny(name: str, **fields) -> Rule:
    return Rule.objects.create(name=name, effect=Effect.DENY, **fields)


def denied_by(assistant_id: int | None, key_id: int) -> str:
    return rules.of_sync(assistant_id, key_id).judge(call()).rule_name


def test_a_rule_concerns_the_calls_of_its_scope(assistant, key):
    deny("Of the assistant", scope=Rule.Scope.ASSISTANT, assistant=assistant)
    deny("Of the key", scope=Rule.Scope.KEY, api_key=key)

    assert denied_by(assistant.pk, 0) == "Of the assistant"
    assert denied_by(None, key.pk) == "Of the key"
    assert denied_by(assistant.pk + 1, key.pk + 1) == ""
    assert rules.of_sync(None, 0).is_empty


@pytest.mark.django_db
def test_rules_go_by_their_position_and_disabled_ones_do_not_count():
    deny("Second", position=20)
    deny("First", position=10)
    deny("Disabled", position=5, is_enabled=False)

    assert denied_by(None, 0) == "First"


def test_a_rule_goes_with_its_assistant_or_key(assistant, key):
    deny("Of the assistant", scope=Rule.Scope.ASSISTANT, assistant=assistant)
    deny("Of the key", scope=Rule.Scope.KEY, api_key=key)

    actions.delete(assistant, by=BY)
    key_actions.delete(key, by=BY)

    assert not Rule.objects.exclude(scope=Rule.Scope.GLOBAL).exists()


@pytest.mark.django_db(transaction=True)
async def test_memory_follows_the_database():
    create = in_thread(lambda: deny("New"))
    async with feed.listening():
        for _ in range(200):
            if feed.max_age() > 1:
                break
            await asyncio.sleep(0.02)
        assert (await rules.of(None, 0)).is_empty
        row = await create()
        for _ in range(250):
            if not (await rules.of(None, 0)).is_empty:
                break
            await asyncio.sleep(0.02)

        verdict = (await rules.of(None, 0)).judge(call())

    assert verdict.rule_id == row.pk
