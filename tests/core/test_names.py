"""Names that nobody could read, or that would reorder the text around them, are refused; spaces go."""

import sys

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from assistants import actions
from core.actor import Actor
from core.errors import Conflict
from core.names import SPACES, trimmed
from tools import actions as tool_actions

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("odd", ["\x1b[31m", "\n", "\x9b", "\u202e", "\u2066"])
def test_a_name_has_no_invisible_characters(odd: str) -> None:
    name = f"a{odd}b"
    for create in (
        lambda: tool_actions.register(by=BY, name=name, connection_type="stdio", command="python"),
        lambda: actions.create(by=BY, name=name),
        lambda: actions.add_provider(by=BY, name=name, default_model="m"),
        lambda: key_actions.issue(by=BY, name=name),
    ):
        with pytest.raises(ValidationError) as refusal:
            create()
        assert list(refusal.value.message_dict) == ["name"]


@pytest.mark.parametrize("name", ["天气", "Zeit 🕰️", "été", "نظام", "a\u200db"])
def test_a_name_may_be_in_any_script(name: str) -> None:
    assert key_actions.issue(by=BY, name=name).api_key.name == name


def test_spaces_at_the_ends_are_no_part_of_a_name() -> None:
    key = key_actions.issue(by=BY, name=" Desk\u00a0").api_key
    helper = actions.create(by=BY, name="Helper ")
    assert (key.name, helper.name, helper.slug) == ("Desk", "Helper", "helper")
    assert ApiKey.objects.filter(name="Desk ").exists()
    for again in (
        lambda: key_actions.issue(by=BY, name="desk "),
        lambda: actions.create(by=BY, name=" helper", slug="other"),
        lambda: key_actions.update(key_actions.issue(by=BY, name="Other").api_key, by=BY, name="Desk  "),
    ):
        with pytest.raises(Conflict):
            again()
    with pytest.raises(ValidationError) as refusal:
        key_actions.issue(by=BY, name="  ")
    assert list(refusal.value.message_dict) == ["name"]


def test_spaces_are_those_that_python_strips() -> None:
    assert sorted(SPACES) == [each for each in map(chr, range(sys.maxunicode + 1)) if each.isspace()]


def test_no_kind_of_object_keeps_them() -> None:
    made = (
        tool_actions.register(by=BY, name="S ", connection_type="stdio", command="python"),
        actions.add_provider(by=BY, name="P ", default_model="m"),
        actions.add_webhook(by=BY, name="W ", url="https://hooks.example.com/1", events=["server.up"]),
        actions.add_rule(by=BY, name="R ", effect="deny"),
    )
    for row in made:
        row.refresh_from_db()
        assert row.name == row.name.strip()


def test_those_of_before_lose_them_but_where_two_became_one() -> None:
    for name in ("Desk", "Alone", "Other", "Blank"):
        key_actions.issue(by=BY, name=name)
    with connection.cursor() as cursor:
        for before, after in (("Alone", " Alone\u3000\u00a0"), ("Other", "desk "), ("Blank", "  ")):
            cursor.execute("UPDATE apikeys_apikey SET name = %s WHERE name = %s", [after, before])
        cursor.execute(trimmed("apikeys_apikey"))
        cursor.execute(trimmed("tools_mcptool", among="own.deleted_at IS NULL"))
    assert set(ApiKey.objects.values_list("name", flat=True)) == {"Desk", "Alone", "desk ", "  "}
