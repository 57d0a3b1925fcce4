"""The number of queries of a request does not grow with the number of rows."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from connector.models import Instance, StateChange, Worker
from tests.connector.conftest import BY
from tests.queries import assert_same_queries
from tools import actions
from tools.models import MCPTool, Status

URL = "/api/v1/mcp-tools/fake"


@pytest.fixture
def server(db: None) -> MCPTool:
    return actions.register(name="Fake", connection_type="stdio", command="python", by=BY)


def add_instances(server: MCPTool, *slots: int) -> None:
    """Adds instances, each at a worker of its own."""
    for slot in slots:
        worker = Worker.objects.create(name=f"worker-{slot}", node=f"mcp@{slot}", host_id="", socket="")
        Instance.objects.create(server=server, slot=slot, worker=worker)


def add_changes(server: MCPTool, count: int) -> None:
    for _ in range(count):
        StateChange.objects.create(server=server, status=Status.RUNNING, at=timezone.now())


@pytest.mark.parametrize("path", ["/instances", "/uptime"])
def test_a_server_takes_as_many_queries_with_one_instance_as_with_five(server: MCPTool, path: str) -> None:
    key = key_actions.issue(by=BY, name="manager", can_manage=True).key
    api = APIClient(headers={"Authorization": f"Bearer {key}"})
    add_instances(server, 0)

    def request() -> None:
        assert api.get(f"{URL}{path}").status_code == 200

    def add_rows() -> None:
        add_instances(server, 1, 2, 3, 4)
        add_changes(server, 5)

    assert_same_queries(request, after=add_rows)


def test_the_console_takes_as_many_queries_for_one_instance_as_for_five(
    admin_client: Client, server: MCPTool
) -> None:
    add_instances(server, 0)

    def request() -> Any:
        assert admin_client.get("/admin/connector/instance/").status_code == 200

    assert_same_queries(request, after=lambda: add_instances(server, 1, 2, 3, 4))
