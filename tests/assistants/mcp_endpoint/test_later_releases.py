"""What a process of the next release has signed or sent is read by this one, while both run."""

from typing import Any

import orjson
import pytest
from django.core import signing

from assistants.mcp_endpoint import bus, sessions
from connector import notifications
from connector.client import round_trips
from core import feed


def test_a_session_that_it_has_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    dumps = orjson.dumps
    monkeypatch.setattr(sessions.orjson, "dumps", lambda values: dumps([*values, {"later": 1}]))
    session = sessions.opened(7, "/mcp", "2025-11-25", {"elicitation": {}})
    monkeypatch.undo()
    sessions._read.cache_clear()
    assert sessions.read(session.id) == session


def test_the_state_between_two_rounds() -> None:
    parked = (1, 2, "call")
    text = signing.dumps([3, 4, parked, None, {"later": 1}], salt=round_trips._SALT)
    assert round_trips.opened(text, 3, 4) == round_trips.State(parked)


def test_a_message_of_a_kind_that_only_it_knows() -> None:
    bus._dispatch(orjson.dumps({"from": "x", "kind": "later", "session": "s", "content": 1, "later": 2}))


def test_a_notification_that_only_it_knows() -> None:
    heard: list[Any] = []
    for payload in ("later_table", "later:5", "check:5:later", "later"):
        notifications.dispatch(payload, lambda: heard.append("change"), heard.append)
        feed._notify(payload)
    assert not heard
