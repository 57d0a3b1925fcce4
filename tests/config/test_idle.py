"""An installation in which nothing happens notifies nobody: every notification has caches read rows anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apikeys import actions as key_actions
from assistants import actions
from assistants.models import Assistant, RunCancellation
from connector.models import Instance, Worker
from connector.states import Phase
from core.actor import Actor
from core.feed import CHANNEL
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import MCPTool, Status, ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")


@contextmanager
def notified() -> Iterator[list[str]]:
    """Collects the payloads of all notifications that are committed in the block."""
    params = connection.get_connection_params()
    names = {"dbname", "user", "password", "host", "port"}
    payloads: list[str] = []
    with psycopg.connect(
        **{name: params[name] for name in names & params.keys()}, autocommit=True
    ) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        yield payloads
        payloads += [each.payload for each in listener.notifies(timeout=0.3)]


def beat() -> None:
    """Runs every periodic task once, in this process."""
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        run(entry["task"])


def run(task: str) -> None:
    """Runs a task in this process, as a worker would."""
    module, _, name = task.rpartition(".")
    getattr(import_module(module), name).run()


@pytest.fixture
def scene(transactional_db: None) -> MCPTool:
    """A healthy server with tools, one that is stopped, assistants of each kind, and keys."""
    servers = [
        tool_actions.register(by=BY, name=name, connection_type="stdio", command="python", is_enabled=wanted)
        for name, wanted in (("Time", True), ("Stopped", False))
    ]
    for server in servers:
        catalogue.record(server.pk, [{"name": "now", "description": "Tells the time.", "inputSchema": {}}])
    now, later = timezone.now(), timezone.now() + timedelta(hours=1)
    worker = Worker.objects.create(name="w", node="n", host_id="h", socket="s", seen_at=later)
    held = {"worker": worker, "phase": Phase.READY, "expires_at": later}
    Instance.objects.create(server=servers[0], checked_at=now, **held)
    MCPTool.objects.filter(pk=servers[0].pk).update(status=Status.RUNNING)
    api_key = key_actions.issue(by=BY, name="caller").api_key
    for kind in Assistant.Selection.values:
        actions.create(by=BY, name=kind, selection=kind, tools=servers, api_keys=[api_key])
    RunCancellation.objects.create(run_id="run_1", expires_at=later)
    return servers[0]


@pytest.mark.usefixtures("scene")
def test_idle_beats_notify_nobody() -> None:
    beat()  # indexes and embeds what is new
    assert Assistant.objects.exclude(embedding=None).count() == len(Assistant.Selection.values)
    with notified() as payloads:
        for _ in range(3):
            beat()
    assert payloads == []


@pytest.mark.usefixtures("scene")
def test_statements_that_change_nothing_notify_nobody() -> None:
    with notified() as payloads:
        Assistant.objects.filter(pk=0).update(name="x")
        Assistant.objects.filter(pk=0).delete()
        ToolFunction.objects.update(is_enabled=True)
        for row in Assistant.objects.all():
            Assistant.objects.filter(pk=row.pk).update(name=row.name, parameters=row.parameters)
        ToolFunction.objects.update(indexed_hash="x")
        Instance.objects.update(expires_at=timezone.now(), checked_at=timezone.now())
    assert payloads == []


def test_a_change_is_notified_once(scene: MCPTool) -> None:
    with notified() as payloads:
        tool_actions.update(scene, by=BY, call_timeout_s=7)
    assert payloads == ["tools_mcptool"]


def test_a_server_without_a_recent_check_is_asked_for(scene: MCPTool) -> None:
    beat()
    Instance.objects.update(checked_at=timezone.now() - timedelta(seconds=2.1 * settings.SUPERVISOR_HEALTH_S))
    with notified() as payloads:
        run("connector.tasks.check")
    assert payloads == ["check"]


@pytest.mark.usefixtures("scene")
def test_a_new_vector_is_reported_once() -> None:
    beat()
    actions.update(Assistant.objects.get(name="all"), by=BY, description="Other words.")
    with notified() as payloads:
        beat()
    assert set(payloads) == {"assistants_assistant"}
    with notified() as payloads:
        beat()
    assert payloads == []
