"""Names that nobody could read, or that would reorder the text around them, are refused."""

import pytest
from django.core.exceptions import ValidationError

from apikeys import actions as key_actions
from assistants import actions
from core.actor import Actor
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
