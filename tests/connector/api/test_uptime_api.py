"""Stored changes of status, uptime over the API, and the purge of deleted servers."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from connector import tasks
from connector.models import Instance, StateChange
from tests.connector.conftest import BY, orm
from tools import actions
from tools.models import MCPTool, Status


@pytest.fixture
def api(db: None) -> APIClient:
    key = key_actions.issue(by=BY, name="manager", can_manage=True).key
    return APIClient(headers={"Authorization": f"Bearer {key}"})


def registered(name: str = "fake") -> MCPTool:
    return actions.register(name=name, connection_type="stdio", command="python", by=BY)


def became(server: MCPTool, *changes: tuple[timedelta, Status]) -> None:
    """Replaces the stored changes of a server."""
    StateChange.objects.filter(server=server).delete()
    for ago, status in changes:
        StateChange.objects.create(server=server, status=status, at=timezone.now() - ago)


async def test_every_change_of_status_is_stored_with_its_reason(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.register("silent-end")
    await servers.wait_until(server, Status.ERROR)
    await servers.act(actions.stop, server)
    await servers.wait_until(server, Status.STOPPED)
    noted = [change async for change in StateChange.objects.filter(server=server).order_by("at")]
    statuses = [Status(change.status) for change in noted]
    assert statuses[:2] == [Status.STARTING, Status.ERROR]
    assert statuses[-1] == Status.STOPPED
    assert noted[1].error["class"] == "crashed"
    assert all(one != other for one, other in pairwise(statuses))


def test_writing_the_same_status_again_stores_no_change(db: None) -> None:
    server = registered()
    for _ in range(3):
        MCPTool.objects.filter(pk=server.pk).update(status=Status.RUNNING)
    noted = StateChange.objects.filter(server=server).order_by("id")
    assert [change.status for change in noted] == [Status.STARTING, Status.RUNNING]


def test_the_api_shows_uptime_outages_and_changes(api: APIClient) -> None:
    server = registered()
    became(
        server,
        (timedelta(days=40), Status.RUNNING),
        (timedelta(hours=12), Status.ERROR),
        (timedelta(hours=6), Status.RUNNING),
    )
    uptime = api.get(f"/api/v1/mcp-tools/{server.slug}/uptime").json()
    day, quarter = uptime["last_24_hours"], uptime["last_90_days"]
    assert day["availability"] == pytest.approx(0.75, abs=0.001)
    assert (day["outages"], day["seconds"].keys()) == (1, set(Status.values))
    assert quarter["availability"] == pytest.approx(1 - 6 / (40 * 24), abs=0.001)
    assert [change["status"] for change in uptime["changes"]] == ["running", "error", "running"]
    assert uptime["changes"][0].keys() == {"at", "status", "error"}


def test_the_uptime_of_an_unknown_server_is_not_found(api: APIClient) -> None:
    server = registered()
    actions.delete(server, by=BY)
    for unknown in (server.pk, "nonsense", 999_999):
        assert api.get(f"/api/v1/mcp-tools/{unknown}/uptime").status_code == 404


def test_changes_are_pruned_after_ninety_days_but_for_the_last_before(db: None) -> None:
    server, other = registered(), registered("other")
    ages = [200, 100, 91, 89, 1]
    became(server, *((timedelta(days=age), Status.RUNNING) for age in ages))
    became(other, (timedelta(days=300), Status.RUNNING))
    tasks.tidy()
    left = [round((timezone.now() - change.at).days) for change in StateChange.objects.filter(server=server)]
    assert left == [1, 89, 91]
    assert StateChange.objects.filter(server=other).count() == 1


async def test_the_row_of_a_deleted_server_is_purged_once_it_has_stopped(
    servers: Any, supervise: Any
) -> None:
    supervisor = supervise()
    server, kept = await servers.running(), await servers.register(name="kept", is_enabled=False)
    supervisor.stop(hard=True)
    await orm(Instance.objects.filter(server=server).update)(
        phase="ready", expires_at=timezone.now() + timedelta(seconds=60)
    )
    await orm(MCPTool.objects.filter(pk=server.pk).update)(status=Status.RUNNING)
    await servers.act(actions.delete, server)
    await orm(tasks.tidy)()
    assert await MCPTool.objects.filter(pk=server.pk).aexists()
    supervise()
    await orm(Instance.objects.filter(server=server).update)(expires_at=timezone.now())
    await orm(tasks.check)()
    await servers.wait_until(server, Status.STOPPED)
    await orm(tasks.tidy)()
    assert [row.pk async for row in MCPTool.objects.all()] == [kept.pk]
