"""Payloads of NOTIFY, right ones and nonsense."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from connector import notifications
from core.feed import CHANNEL
from tests.connector.conftest import orm, wait_for
from tools import actions
from tools.models import Status

Dispatch = Callable[[str], list[Any]]


@pytest.fixture
def dispatch() -> Dispatch:
    """Returns the calls that a payload leads to: `change`, or the argument of a check."""

    def dispatch(payload: str) -> list[Any]:
        calls: list[Any] = []
        notifications.dispatch(payload, lambda: calls.append("change"), calls.append)
        return calls

    return dispatch


@pytest.mark.parametrize(
    ("payload", "calls"),
    [
        ("tools_mcptool", ["change"]),
        ("connector_instance", ["change"]),
        ("check", [None]),
        ("check:7", [7]),
        ("apikeys_apikey", []),
        ("checked", []),
    ],
)
def test_a_payload_is_dispatched(dispatch: Dispatch, payload: str, calls: list[Any]) -> None:
    assert dispatch(payload) == calls


@pytest.mark.parametrize("payload", ["check:x", "check:-1", "check:1.5", "check:1:2", "check:²", "check: 1"])
def test_a_check_of_nonsense_is_logged_and_ignored(
    dispatch: Dispatch, caplog: pytest.LogCaptureFixture, payload: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert dispatch(payload) == []
    assert payload in caplog.text


async def test_nonsense_does_not_end_a_supervisor(servers: Any, supervise: Any) -> None:
    supervisor = supervise()
    server = await servers.running()

    def notify() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, 'check:x')", [CHANNEL])

    await orm(notify)()
    await servers.act(actions.stop, server)
    await servers.wait_until(server, Status.STOPPED)
    assert supervisor._thread.is_alive()
    await wait_for(lambda: supervisor.heartbeats)
