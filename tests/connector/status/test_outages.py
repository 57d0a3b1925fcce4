"""Webhooks are told of servers that went down and are back: once each, and not of what is no outage."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from apikeys.models import OutboxEvent
from assistants.models import Webhook
from connector import tasks
from connector.models import StateChange
from core.actor import Actor
from tools import actions
from tools.models import MCPTool, Status

BY = Actor.system("tests")
SETTLED = timedelta(seconds=16)
pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> MCPTool:
    Webhook.objects.create(name="pager", url="https://1.1.1.1/x", events=["server.down", "server.up"])
    row = actions.register(by=BY, name="Time", connection_type="stdio", command="mcp-server-time")
    return MCPTool.objects.get(pk=row.pk)


def becomes(server: MCPTool, *statuses: Status, error: dict[str, Any] | None = None) -> None:
    for status in statuses:
        MCPTool.objects.filter(pk=server.pk).update(status=status, error=error)


def told(*, after: timedelta = SETTLED) -> list[str]:
    """Returns the events that are told when this time has passed."""
    StateChange.objects.update(at=F("at") - after)
    before = set(OutboxEvent.objects.values_list("pk", flat=True))
    tasks.announce_outages()
    new = OutboxEvent.objects.exclude(pk__in=before)
    return [event.type for event in new]


def test_a_server_that_fails_is_told_as_down_and_then_as_back(server: MCPTool) -> None:
    becomes(server, Status.RUNNING)
    assert told() == []
    becomes(server, Status.STARTING, Status.ERROR, error={"class": "crashed", "message": "token=s3cret"})
    assert told() == ["server.down"]
    event = OutboxEvent.objects.get()
    assert (event.data["id"], event.data["name"], event.data["reason"]) == (server.pk, "Time", "crashed")
    assert "s3cret" not in str(event.data)
    becomes(server, Status.STARTING, Status.ERROR)  # it is tried again and again
    assert told() == []
    becomes(server, Status.RUNNING)
    assert told() == ["server.up"]
    assert told() == []


def test_a_restart_of_some_seconds_is_no_outage(server: MCPTool) -> None:
    becomes(server, Status.RUNNING, Status.STARTING)
    assert told(after=timedelta(seconds=5)) == []
    becomes(server, Status.RUNNING)
    assert told() == []


def test_a_first_start_that_fails_is_no_outage(server: MCPTool) -> None:
    becomes(server, Status.STARTING, Status.ERROR)
    assert told() == []
    becomes(server, Status.RUNNING)
    assert told() == []


def test_a_server_that_serves_with_fewer_copies_is_up(server: MCPTool) -> None:
    becomes(server, Status.RUNNING, Status.DEGRADED)
    assert told() == []


def test_a_stop_by_an_operator_is_no_outage_and_ends_one(server: MCPTool) -> None:
    becomes(server, Status.RUNNING, Status.STOPPED)
    assert told() == []
    becomes(server, Status.STARTING, Status.ERROR)  # and a start after it is a first one
    assert told() == []
    becomes(server, Status.RUNNING, Status.ERROR)
    assert told() == ["server.down"]
    actions.stop(server, by=BY)
    becomes(server, Status.STOPPED)
    assert told() == []
    actions.start(server, by=BY)
    becomes(server, Status.RUNNING)
    assert told() == []
