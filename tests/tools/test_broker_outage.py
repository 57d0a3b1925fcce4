"""Changes of servers while Redis is dead or frozen: one that the test starts and stops itself."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

import core.broker
from apikeys import actions as api_keys
from config.celery import app
from core.actor import Actor
from tests.connector.processes import Broker, frozen
from tools import actions
from tools.models import MCPTool

BY = Actor.system("tests")
PUBLISH_TIMEOUT_S = 15
"""One message to a frozen broker alone takes longer."""
TIME = {"name": "Time", "connection_type": "stdio", "command": "mcp-server-time"}


@pytest.fixture(params=["dead", "frozen"])
def broker_away(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Iterator[str]:
    """The broker does not answer during the test: its process was killed, or is stopped by SIGSTOP."""
    broker = Broker(tmp_path / "broker")
    monkeypatch.setattr(app.conf, "broker_write_url", broker.environment["REDIS_URL"])
    if request.param == "dead":
        broker.stop()
        yield request.param
        return
    with frozen(broker.process):
        yield request.param
    broker.stop()


@pytest.fixture
def manager(transactional_db: None) -> APIClient:
    issued = api_keys.issue(by=BY, name="manager", can_manage=True)
    return APIClient(headers={"Authorization": f"Bearer {issued.key}"})


def test_servers_are_registered_started_and_stopped_at_once(
    manager: APIClient, broker_away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for timeout in ("socket_timeout", "socket_connect_timeout"):
        monkeypatch.setitem(core.broker._BOUNDED, timeout, PUBLISH_TIMEOUT_S)
    manager.get("/api/v1/mcp-tools")  # the first request loads the URLs
    began = time.monotonic()
    responses = [manager.post("/api/v1/mcp-tools", TIME, format="json")]
    for verb in ("stop", "start", "restart"):
        responses.append(manager.post(f"/api/v1/mcp-tools/time/{verb}"))
    assert time.monotonic() - began < PUBLISH_TIMEOUT_S
    assert [response.status_code for response in responses] == [201, 202, 202, 202]
    assert MCPTool.objects.get().generation == 4


@pytest.mark.django_db(transaction=True)
def test_indexed_text_is_changed_and_a_warning_logged(
    broker_away: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = actions.register(by=BY, **TIME)
    actions.update(server, by=BY, description="What time is it?")
    assert MCPTool.objects.get().description == "What time is it?"
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "No worker was asked to index tools" in record.getMessage()
