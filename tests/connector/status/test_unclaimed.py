"""A server that should run and that no worker has claimed yet."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connector import tasks
from connector.models import Instance, Worker
from connector.status.history import uptime_of
from core.actor import Actor
from tools import actions
from tools.models import MCPTool, Status

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db


def register(**fields: Any) -> MCPTool:
    given: dict[str, Any] = {"name": "Time", "connection_type": "stdio", "command": "mcp-server-time"}
    return MCPTool.objects.get(pk=actions.register(by=BY, **given, **fields).pk)


def worker_is_alive() -> Worker:
    return Worker.objects.create(name="1-1", node="mcp@host", seen_at=timezone.now())


def reason(server: MCPTool) -> tuple[str, str]:
    server.refresh_from_db()
    return server.status, server.error["class"] if server.error else ""


def test_it_is_starting_and_says_that_it_waits() -> None:
    worker_is_alive()
    server = register()
    assert reason(server) == (Status.STARTING, "unclaimed")
    assert "waits for an MCP worker" in str(server.error_message)


def test_without_a_worker_it_says_so() -> None:
    server = register()
    assert reason(server) == (Status.STARTING, "no_worker")
    assert "No MCP worker is running" in str(server.error_message)


def test_what_it_waits_for_is_corrected() -> None:
    server = register()
    worker = worker_is_alive()
    tasks.check()
    assert reason(server) == (Status.STARTING, "unclaimed")
    worker.delete()
    tasks.check()
    assert reason(server) == (Status.STARTING, "no_worker")


def test_it_is_found_among_those_that_start() -> None:
    server = register()
    assert list(MCPTool.objects.filter(status=Status.STARTING)) == [server]


def test_the_wait_is_no_downtime() -> None:
    server = register()
    found = uptime_of(server, timedelta(hours=1), now=timezone.now() + timedelta(minutes=1))
    assert (found.availability, found.outages) == (None, 0)


def test_a_server_that_is_not_enabled_is_stopped() -> None:
    assert reason(register(is_enabled=False)) == (Status.STOPPED, "")


def test_it_follows_what_is_wanted_at_once() -> None:
    server = register()
    actions.stop(server, by=BY)
    assert reason(server) == (Status.STOPPED, "")
    actions.start(server, by=BY)
    assert reason(server) == (Status.STARTING, "no_worker")


def test_a_server_that_is_owned_keeps_what_its_owner_reports() -> None:
    server = register()
    worker = worker_is_alive()
    until = timezone.now() + timedelta(hours=1)
    Instance.objects.create(server=server, worker=worker, fence=1, phase="ready", expires_at=until)
    MCPTool.objects.filter(pk=server.pk).update(status=Status.RUNNING, error=None)
    actions.stop(server, by=BY)
    assert reason(server) == (Status.RUNNING, "")
    actions.start(server, by=BY)
    assert reason(server) == (Status.RUNNING, "")


def test_a_server_whose_worker_is_gone_waits_for_another() -> None:
    server = register()
    worker_is_alive()
    MCPTool.objects.filter(pk=server.pk).update(status=Status.RUNNING, error=None)
    tasks.check()
    assert reason(server) == (Status.STARTING, "worker_lost")
    Worker.objects.all().delete()
    tasks.check()
    assert reason(server) == (Status.ERROR, "no_worker")
