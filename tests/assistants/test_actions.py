from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from apikeys import actions as key_actions
from apikeys.models import AuditEntry
from assistants import actions
from assistants.models import Assistant, Provider
from core.actor import Actor
from core.errors import Conflict
from tools import actions as tool_actions

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")


def create(**fields: Any) -> Assistant:
    return actions.create(by=BY, **{"name": "Helper", **fields})


def test_an_assistant_is_created_with_its_tools_and_keys() -> None:
    server = tool_actions.register(by=BY, name="Time", connection_type="stdio", command="uvx")
    key = key_actions.issue(by=BY, name="alice").api_key
    assistant = create(tools=[server], api_keys=[key])
    assert (assistant.slug, list(assistant.tools.all()), list(assistant.api_keys.all())) == (
        "helper",
        [server],
        [key],
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "auto"}, "slug"),
        ({"system_prompt": "nul\0"}, "system_prompt"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"max_rounds": 51}, "max_rounds"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"temprature": 1}}, "parameters"),
        ({"parameters": {"extra": 1}}, "parameters"),
        ({"parameters": {"extra": {"messages": []}}}, "parameters"),
        ({"parameters": {"extra": {"note": "nul\0"}}}, "parameters"),
    ],
)
def test_invalid_fields_are_refused_by_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        create(**fields)
    assert field in refusal.value.message_dict
    assert not Assistant.objects.exists()


@pytest.mark.parametrize("taken", [{"name": "HELPER", "slug": "other"}, {"name": "Other", "slug": "helper"}])
def test_names_and_slugs_are_unique(taken: dict[str, str]) -> None:
    create()
    with pytest.raises(Conflict):
        create(**taken)


def test_an_update_of_the_keys_alone_is_stored() -> None:
    assistant = create()
    key = key_actions.issue(by=BY, name="alice").api_key
    actions.update(assistant, by=BY, api_keys=[key])
    assert (list(assistant.api_keys.all()), assistant.version) == ([key], 2)
    actions.update(assistant, by=BY, description="Knows keys")
    assert list(assistant.api_keys.all()) == [key]


def test_a_slug_never_changes() -> None:
    with pytest.raises(ValidationError, match="slug cannot be changed"):
        actions.update(create(), by=BY, slug="other")


def test_changes_are_audited_without_secrets() -> None:
    provider = actions.add_provider(by=BY, name="LLM", default_model="m", api_key="sk-canary-1")
    actions.update_provider(provider, by=BY, api_key="sk-canary-2", default_model="n")
    assistant = create(provider=provider)
    actions.update(assistant, by=BY, system_prompt="New.")
    actions.delete(assistant, by=BY)
    actions.delete_provider(provider, by=BY)
    entries = AuditEntry.objects.order_by("pk")
    assert [(entry.action, entry.object_name) for entry in entries] == [
        ("created", "LLM"),
        ("updated", "LLM"),
        ("created", "Helper"),
        ("updated", "Helper"),
        ("deleted", "Helper"),
        ("deleted", "LLM"),
    ]
    assert "canary" not in str([(entry.before, entry.after) for entry in entries])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"base_url": "ftp://llm"}, "base_url"),
        ({"base_url": "http://llm\0"}, "base_url"),
        ({"api_key": "two\nlines"}, "api_key"),
        ({"api_key": "klíč"}, "api_key"),
        ({"api_key": {"a": "b"}}, "api_key"),
        ({"default_model": ""}, "default_model"),
        ({"kind": "oracle"}, "kind"),
    ],
)
def test_a_provider_that_cannot_be_called_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.add_provider(**{"by": BY, "name": "LLM", "default_model": "m", **fields})
    assert field in refusal.value.message_dict


def test_a_provider_in_use_cannot_be_deleted() -> None:
    provider = actions.add_provider(by=BY, name="LLM", default_model="m")
    create(provider=provider)
    with pytest.raises(Conflict, match="Assistants use it: helper"):
        actions.delete_provider(provider, by=BY)
    assert Provider.objects.exists()
    assert not AuditEntry.objects.filter(action="deleted").exists()


def test_a_provider_in_use_is_deleted_by_force_and_its_assistants_remain() -> None:
    provider = actions.add_provider(by=BY, name="LLM", default_model="m")
    assistant = create(provider=provider)
    actions.delete_provider(provider, by=BY, force=True)
    assistant.refresh_from_db()
    assert (assistant.provider, assistant.version) == (None, 2)


@pytest.mark.django_db(transaction=True)
def test_of_two_concurrent_creations_with_one_name_one_succeeds() -> None:
    """The names are a slug and an alias, which no constraint of the database compares."""
    start = Barrier(2)

    def take(fields: dict[str, Any]) -> bool:
        start.wait(30)
        try:
            create(**fields)
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    for number in range(5):
        name = f"same-{number}"
        rivals = [{"name": f"A{number}", "slug": name}, {"name": f"B{number}", "aliases": [name]}]
        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(take, rivals)) == [False, True]
